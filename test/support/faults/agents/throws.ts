import { defineAgent } from 'threadbound/agent'

export default defineAgent({
  async run() {
    return deeper()
  },
})

function deeper(): never {
  throw new TypeError('the order has no lines')
}
