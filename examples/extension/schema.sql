CREATE EXTENSION pg_cron;

CREATE TABLE readings (
    taken timestamptz NOT NULL DEFAULT now(),
    note text NOT NULL
);

SELECT cron.schedule('forget', '0 3 * * *', $$DELETE FROM readings WHERE taken < now() - interval '30 days'$$);

CREATE TEXT SEARCH DICTIONARY units (TEMPLATE = synonym, SYNONYMS = units);
CREATE TEXT SEARCH CONFIGURATION notes (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION notes ALTER MAPPING FOR asciiword WITH units, simple;
