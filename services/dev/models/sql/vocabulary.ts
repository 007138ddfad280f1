/** Comparisons, the longest phrase first. */
export const COMPARATORS: [string, string][] = [
  ['greater than or equal to', '>='],
  ['less than or equal to', '<='],
  ['is not', '<>'],
  ['not equal to', '<>'],
  ['equal to', '='],
  ['more than', '>'],
  ['greater than', '>'],
  ['higher than', '>'],
  ['larger than', '>'],
  ['later than', '>'],
  ['older than', '>'],
  ['less than', '<'],
  ['fewer than', '<'],
  ['lower than', '<'],
  ['smaller than', '<'],
  ['cheaper than', '<'],
  ['earlier than', '<'],
  ['at least', '>='],
  ['at most', '<='],
  ['up to', '<='],
  ['over', '>'],
  ['above', '>'],
  ['exceeding', '>'],
  ['after', '>'],
  ['since', '>='],
  ['under', '<'],
  ['below', '<'],
  ['before', '<'],
  ['containing', 'ILIKE'],
  ['contains', 'ILIKE'],
  ['like', 'ILIKE'],
  ['equals', '='],
  ['is', '='],
  ['are', '='],
  ['was', '='],
  ['>=', '>='],
  ['<=', '<='],
  ['<>', '<>'],
  ['!=', '<>'],
  ['>', '>'],
  ['<', '<'],
  ['=', '='],
]
/** Words between a column and its value that say nothing. */
export const FILLER = new Set(['a', 'an', 'the', 'of', 'is', 'are', 'was', 'that', 'to', 'in', 'set'])
/** Words of questions; none of them is a value. */
export const GRAMMAR = new Set(
  `a all an and any are as at average avg be been best biggest by cheapest count describe did different distinct do
  does each earliest every ever expensive fetch few fewest find first for from get give had has have highest how i in is it
  largest last latest least less list lowest many max maximum me mean min minimum more most much name newest now number of
  oldest on one or order our over per please placed recent return show smallest some sorted sum tell than that the their
  them there these this those to top total under unique us value was we were what when where which who whose with you your`.split(
    /\s+/,
  ),
)
