import { describe, expect, test } from 'vitest'
import { GrantRefusedError, GrantTable } from '#lib/secrets'

const claimOf = (contextId: string, jobId = 'writer.1', attempt = 1) => ({
  agentType: 'writer',
  contextId,
  jobId,
  attempt,
})
function setup() {
  const table = new GrantTable<object>()
  const connections = [{}, {}]
  for (const connection of connections) table.bind('c1', connection, 'writer')
  return { table, connections }
}
const refusal = (act: () => unknown) => {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(GrantRefusedError)
    return (error as GrantRefusedError).reason
  }
  return 'nothing was refused'
}

describe('I5 least: grants', () => {
  test('a grant holds for every connection of its context, and for no other', () => {
    const { table, connections } = setup()
    table.bind('c2', connections, 'writer')
    expect(table.grantOf(connections[0]!)).toBeUndefined()
    const grant = table.claim(claimOf('c1'))
    expect(connections.map((connection) => table.grantOf(connection))).toEqual([grant, grant])
    expect(table.connectionsOf(grant.id)).toEqual(connections)
    expect(table.grantOf(connections)).toBeUndefined()
    expect(table.grantOf({})).toBeUndefined()
  })

  test('a context is claimed once in its life, also after the first grant has ended', () => {
    const { table } = setup()
    const grant = table.claim(claimOf('c1'))
    expect(refusal(() => table.claim(claimOf('c1', 'writer.2')))).toBe('context-claimed')
    table.end(grant.id)
    expect(refusal(() => table.claim(claimOf('c1', 'writer.2')))).toBe('context-claimed')
  })

  test('an attempt is claimed once, and never after a later one', () => {
    const { table } = setup()
    for (const context of ['c2', 'c3']) table.bind(context, {}, 'writer')
    const grant = table.claim(claimOf('c1', 'writer.1', 2))
    expect(refusal(() => table.claim(claimOf('c2', 'writer.1', 2)))).toBe('attempt-claimed')
    expect(refusal(() => table.claim(claimOf('c2', 'writer.1', 1)))).toBe('attempt-claimed')
    table.end(grant.id)
    expect(refusal(() => table.claim(claimOf('c2', 'writer.1', 2)))).toBe('attempt-claimed')
    expect(table.claim(claimOf('c3', 'writer.1', 3))).toMatchObject({ attempt: 3 })
  })

  test('a refused claim uses nothing up', () => {
    const { table } = setup()
    expect(refusal(() => table.claim({ ...claimOf('c1'), agentType: 'reader' }))).toBe('wrong-agent-type')
    expect(refusal(() => table.claim(claimOf('unknown')))).toBe('unknown-context')
    expect(table.claim(claimOf('c1'))).toMatchObject({ contextId: 'c1', jobId: 'writer.1' })
  })

  test('a context of one agent type takes no connection from the socket of another', () => {
    const { table } = setup()
    expect(refusal(() => table.bind('c1', {}, 'reader'))).toBe('wrong-agent-type')
  })

  test('no connection joins a claimed context, and none changes its context', () => {
    const { table, connections } = setup()
    expect(refusal(() => table.bind('c2', connections[0]!, 'writer'))).toBe('connection-bound')
    table.claim(claimOf('c1'))
    expect(refusal(() => table.bind('c1', {}, 'writer'))).toBe('context-claimed')
  })

  test('the end takes the right away at once, and is told once', () => {
    const { table, connections } = setup()
    const grant = table.claim(claimOf('c1'))
    expect(table.end(grant.id)).toEqual(grant)
    expect(table.end(grant.id)).toBeUndefined()
    expect(table.grantOf(connections[0]!)).toBeUndefined()
    expect(table.get(grant.id)).toBeUndefined()
  })

  test('the last connection that goes ends the grant, an earlier one does not', () => {
    const { table, connections } = setup()
    const grant = table.claim(claimOf('c1'))
    expect(table.unbind(connections[0]!)).toBeUndefined()
    expect(table.get(grant.id)).toEqual(grant)
    expect(table.unbind(connections[1]!)).toEqual(grant)
    expect(table.unbind(connections[1]!)).toBeUndefined()
    expect(table.get(grant.id)).toBeUndefined()
  })

  test('a context whose connections are gone is unknown', () => {
    const { table, connections } = setup()
    for (const connection of connections) table.unbind(connection)
    expect(refusal(() => table.claim(claimOf('c1')))).toBe('unknown-context')
  })

  test('a later bind under a used context id serves no second attempt of the same job', () => {
    const { table, connections } = setup()
    table.claim(claimOf('c1'))
    for (const connection of connections) table.unbind(connection)
    table.bind('c1', {}, 'writer')
    expect(refusal(() => table.claim(claimOf('c1')))).toBe('attempt-claimed')
  })
})
