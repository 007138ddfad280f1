import { describe, expect, test } from 'vitest'
import { sqlFor } from '../../../services/dev/models/sql/index.ts'

/** A schema that no demo has. */
const LIBRARY = `
CREATE TABLE authors (id serial PRIMARY KEY, name text NOT NULL, country text);
CREATE TABLE books (
  id serial PRIMARY KEY,
  author_id int NOT NULL REFERENCES authors(id),
  title text, genre varchar(30), pages int, price numeric(8, 2), published_on date
);
CREATE TABLE loans (id int, book_id int, state text, days int, FOREIGN KEY (book_id) REFERENCES books(id));
`
const ask = (user: string, system = `Translate to SQL.\n${LIBRARY}`) => sqlFor({ system, user })

describe('text to SQL works from the schema in the prompt', () => {
  test.each([
    ['How many books are there?', 'SELECT COUNT(*) FROM books'],
    ['How many overdue loans are there?', "SELECT COUNT(*) FROM loans WHERE state = 'overdue'"],
    ['List the title and price of books under 20', 'SELECT title, price FROM books WHERE price < 20'],
    [
      'What is the average price of books by genre?',
      'SELECT genre, AVG(price) FROM books GROUP BY genre ORDER BY AVG(price) DESC',
    ],
    ['Show the 5 newest books', 'SELECT * FROM books ORDER BY published_on DESC LIMIT 5'],
    ['Which book is the most expensive?', 'SELECT * FROM books ORDER BY price DESC LIMIT 1'],
    ['Top 3 books by pages', 'SELECT * FROM books ORDER BY pages DESC LIMIT 3'],
    ['books where pages is at least 300', 'SELECT * FROM books WHERE pages >= 300'],
    ['How many authors from Iceland are there?', "SELECT COUNT(*) FROM authors WHERE country = 'Iceland'"],
    ['What is the highest price?', 'SELECT MAX(price) FROM books'],
    [
      'total pages per author',
      'SELECT authors.name, SUM(books.pages) FROM books JOIN authors ON books.author_id = authors.id GROUP BY authors.name ORDER BY SUM(books.pages) DESC',
    ],
    [
      'Which author has the most books?',
      'SELECT authors.name, COUNT(*) FROM books JOIN authors ON books.author_id = authors.id GROUP BY authors.name ORDER BY COUNT(*) DESC LIMIT 1',
    ],
    [
      'How many books published in 2024?',
      "SELECT COUNT(*) FROM books WHERE published_on >= '2024-01-01' AND published_on < '2025-01-01'",
    ],
    ['books with pages between 100 and 200', 'SELECT * FROM books WHERE pages >= 100 AND pages <= 200'],
    [`books where genre is "o'clock"`, "SELECT * FROM books WHERE genre = 'o''clock'"],
  ])('%s', (question, sql) => expect(ask(question)).toBe(sql))

  test('a column of another table is reached over two foreign keys', () =>
    expect(ask('How many loans per country?')).toBe(
      'SELECT authors.country, COUNT(*) FROM loans JOIN books ON loans.book_id = books.id ' +
        'JOIN authors ON books.author_id = authors.id GROUP BY authors.country ORDER BY COUNT(*) DESC',
    ))

  test('compact lines are a schema too, and foreign keys follow from names', () =>
    expect(
      ask(
        'Question: top 2 teams by points',
        'SQL only.\n- teams(id, name, city)\n- matches(id, team_id, points)',
      ),
    ).toBe(
      'SELECT teams.name, SUM(matches.points) FROM matches JOIN teams ON matches.team_id = teams.id ' +
        'GROUP BY teams.name ORDER BY SUM(matches.points) DESC LIMIT 2',
    ))

  test('the same question over another schema gives other SQL', () =>
    expect(ask('How many are there?', 'SQL\nboats(id, hull)')).toBe('SELECT COUNT(*) FROM boats'))

  test('a question that means none of several tables gives none', () =>
    expect(ask('What is the meaning of blue?', 'SQL\nboats(id, hull)\ncrews(id, size)')).toBeUndefined())

  test('a value in capitals is a value, not a word of the question', () =>
    expect(ask('How many boats have flag US?', 'SQL\nboats(id, flag)')).toBe(
      "SELECT COUNT(*) FROM boats WHERE flag = 'US'",
    ))

  test('a prompt without tables gives none', () => expect(ask('How many?', 'Write SQL.')).toBeUndefined())
})
