\set who inner
