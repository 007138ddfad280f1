-- The demo's sample database, loaded once by `up`.
CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, country text NOT NULL, created_at date NOT NULL);
CREATE TABLE products (id integer PRIMARY KEY, name text NOT NULL, category text NOT NULL, price numeric(10,2) NOT NULL);
CREATE TABLE orders (
  id integer PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers,
  product_id integer NOT NULL REFERENCES products,
  status text NOT NULL,
  quantity integer NOT NULL,
  total numeric(10,2) NOT NULL,
  ordered_at date NOT NULL
);

INSERT INTO customers VALUES
  (1, 'Ada Byron', 'UK', '2025-01-04'), (2, 'Grace Hopper', 'US', '2025-02-11'), (3, 'Edsger Dijkstra', 'NL', '2025-02-20'),
  (4, 'Barbara Liskov', 'US', '2025-03-02'), (5, 'Niklaus Wirth', 'CH', '2025-03-15'), (6, 'Tony Hoare', 'UK', '2025-04-01'),
  (7, 'Frances Allen', 'US', '2025-05-09'), (8, 'Kristen Nygaard', 'NO', '2025-06-21'), (9, 'Radia Perlman', 'US', '2025-07-30'),
  (10, 'Leslie Lamport', 'US', '2025-09-12');
INSERT INTO products VALUES
  (1, 'Keyboard', 'input', 79.00), (2, 'Mouse', 'input', 35.50), (3, 'Monitor', 'display', 289.00), (4, 'Dock', 'hub', 149.90),
  (5, 'Headset', 'audio', 99.00), (6, 'Webcam', 'video', 64.25);
INSERT INTO orders
  SELECT n, 1 + (n * 7) % 10, 1 + (n * 5) % 6, (ARRAY['open', 'shipped', 'delivered', 'returned'])[1 + (n * 3) % 4],
         1 + n % 4, (1 + n % 4) * (ARRAY[79.00, 35.50, 289.00, 149.90, 99.00, 64.25])[1 + (n * 5) % 6], date '2026-01-01' + n * 3
  FROM generate_series(1, 80) AS n;
