-- What pg_dump --clean --if-exists --no-owner --quote-all-identifiers writes, on an empty database.
--
-- PostgreSQL database dump
--

\restrict LibraryKey

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

DROP PUBLICATION IF EXISTS "every";
DROP POLICY IF EXISTS "all_of_it" ON "library"."book";
ALTER TABLE IF EXISTS ONLY "library"."book" DROP CONSTRAINT IF EXISTS "book_author_id_fkey";
DROP TRIGGER IF EXISTS "note" ON "library"."book";
DROP RULE IF EXISTS "none" ON "library"."author";
DROP INDEX IF EXISTS "library"."book_title_idx";
ALTER TABLE IF EXISTS ONLY "library"."book" DROP CONSTRAINT IF EXISTS "book_pkey";
ALTER TABLE IF EXISTS ONLY "library"."author" DROP CONSTRAINT IF EXISTS "author_pkey";
ALTER TABLE IF EXISTS ONLY "library"."author" DROP CONSTRAINT IF EXISTS "author_name_key";
SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = '4711';
ALTER TABLE IF EXISTS "library"."book" ALTER COLUMN "id" DROP DEFAULT;
DROP VIEW IF EXISTS "library"."lent";
DROP MATERIALIZED VIEW IF EXISTS "library"."count";
DROP SEQUENCE IF EXISTS "library"."book_id_seq";
DROP TABLE IF EXISTS "library"."author";
DROP FUNCTION IF EXISTS "library"."titles"();
DROP TABLE IF EXISTS "library"."book";
DROP FUNCTION IF EXISTS "library"."note"();
DROP TYPE IF EXISTS "library"."state";
DROP DOMAIN IF EXISTS "library"."isbn";
DROP SCHEMA IF EXISTS "library";
--
-- Name: library; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA "library";


--
-- Name: SCHEMA "library"; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA "library" IS 'books; and their readers';


--
-- Name: SCHEMA "public"; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA "public" IS 'standard public schema';


--
-- Name: isbn; Type: DOMAIN; Schema: library; Owner: -
--

CREATE DOMAIN "library"."isbn" AS "text"
	CONSTRAINT "isbn_check" CHECK ((VALUE ~ '^[0-9-]+$'::"text"));


--
-- Name: state; Type: TYPE; Schema: library; Owner: -
--

CREATE TYPE "library"."state" AS ENUM (
    'in',
    'lent; out'
);


--
-- Name: note(); Type: FUNCTION; Schema: library; Owner: -
--

CREATE FUNCTION "library"."note"() RETURNS "trigger"
    LANGUAGE "plpgsql"
    AS $_$ BEGIN new.title := replace(new.title, '$$', ''); RETURN new; END $_$;


SET default_tablespace = '';

SET default_table_access_method = "heap";

--
-- Name: book; Type: TABLE; Schema: library; Owner: -
--

CREATE TABLE "library"."book" (
    "id" integer NOT NULL,
    "isbn" "library"."isbn",
    "title" "text",
    "author_id" integer,
    "state" "library"."state" DEFAULT 'in'::"library"."state",
    "tags" "text"[],
    "cover" "bytea",
    "words" "tsvector" GENERATED ALWAYS AS ("to_tsvector"('"english"'::"regconfig", "title")) STORED
);


--
-- Name: titles(); Type: FUNCTION; Schema: library; Owner: -
--

CREATE FUNCTION "library"."titles"() RETURNS SETOF "text"
    LANGUAGE "sql"
    BEGIN ATOMIC
 SELECT "book"."title"
    FROM "library"."book"
   ORDER BY "book"."id";
END;


--
-- Name: author; Type: TABLE; Schema: library; Owner: -
--

CREATE TABLE "library"."author" (
    "id" integer NOT NULL,
    "name" "text" NOT NULL
);


--
-- Name: author_id_seq; Type: SEQUENCE; Schema: library; Owner: -
--

ALTER TABLE "library"."author" ALTER COLUMN "id" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME "library"."author_id_seq"
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: book_id_seq; Type: SEQUENCE; Schema: library; Owner: -
--

CREATE SEQUENCE "library"."book_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: book_id_seq; Type: SEQUENCE OWNED BY; Schema: library; Owner: -
--

ALTER SEQUENCE "library"."book_id_seq" OWNED BY "library"."book"."id";


--
-- Name: count; Type: MATERIALIZED VIEW; Schema: library; Owner: -
--

CREATE MATERIALIZED VIEW "library"."count" AS
 SELECT "count"(*) AS "count"
   FROM "library"."book"
  WITH NO DATA;


--
-- Name: lent; Type: VIEW; Schema: library; Owner: -
--

CREATE VIEW "library"."lent" AS
 SELECT "b"."id",
    "a"."name"
   FROM ("library"."book" "b"
     JOIN "library"."author" "a" ON (("a"."id" = "b"."author_id")))
  WHERE ("b"."state" = 'lent; out'::"library"."state");


--
-- Name: book id; Type: DEFAULT; Schema: library; Owner: -
--

ALTER TABLE ONLY "library"."book" ALTER COLUMN "id" SET DEFAULT "nextval"('"library"."book_id_seq"'::"regclass");


--
-- Name: 4711; Type: BLOB; Schema: -; Owner: -
--

SELECT pg_catalog.lo_create('4711');


--
-- Data for Name: author; Type: TABLE DATA; Schema: library; Owner: -
--

COPY "library"."author" ("id", "name") FROM stdin;
1	O'Hara
2	Two\nlines; \\ and a \t tab
3	Zoë
\.


--
-- Data for Name: book; Type: TABLE DATA; Schema: library; Owner: -
--

COPY "library"."book" ("id", "isbn", "title", "author_id", "state", "tags", "cover") FROM stdin;
1	1-2	it's; here	1	in	{a,b;c}	\\x00ff
2	\N	\\.	2	lent; out	\N	\N
3	3		3	in	{}	\\x
\.


--
-- Name: author_id_seq; Type: SEQUENCE SET; Schema: library; Owner: -
--

SELECT pg_catalog.setval('"library"."author_id_seq"', 3, true);


--
-- Name: book_id_seq; Type: SEQUENCE SET; Schema: library; Owner: -
--

SELECT pg_catalog.setval('"library"."book_id_seq"', 40, true);


--
-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: -
--

BEGIN;

SELECT pg_catalog.lo_open('4711', 131072);
SELECT pg_catalog.lowrite(0, '\x6162');
SELECT pg_catalog.lo_close(0);

COMMIT;

--
-- Name: author author_name_key; Type: CONSTRAINT; Schema: library; Owner: -
--

ALTER TABLE ONLY "library"."author"
    ADD CONSTRAINT "author_name_key" UNIQUE ("name");


--
-- Name: author author_pkey; Type: CONSTRAINT; Schema: library; Owner: -
--

ALTER TABLE ONLY "library"."author"
    ADD CONSTRAINT "author_pkey" PRIMARY KEY ("id");


--
-- Name: book book_pkey; Type: CONSTRAINT; Schema: library; Owner: -
--

ALTER TABLE ONLY "library"."book"
    ADD CONSTRAINT "book_pkey" PRIMARY KEY ("id");


--
-- Name: book_title_idx; Type: INDEX; Schema: library; Owner: -
--

CREATE INDEX "book_title_idx" ON "library"."book" USING "btree" ("title");


--
-- Name: author none; Type: RULE; Schema: library; Owner: -
--

CREATE RULE "none" AS
    ON DELETE TO "library"."author" DO INSTEAD NOTHING;


--
-- Name: book note; Type: TRIGGER; Schema: library; Owner: -
--

CREATE TRIGGER "note" BEFORE INSERT ON "library"."book" FOR EACH ROW EXECUTE FUNCTION "library"."note"();


--
-- Name: book book_author_id_fkey; Type: FK CONSTRAINT; Schema: library; Owner: -
--

ALTER TABLE ONLY "library"."book"
    ADD CONSTRAINT "book_author_id_fkey" FOREIGN KEY ("author_id") REFERENCES "library"."author"("id") DEFERRABLE INITIALLY DEFERRED;


--
-- Name: book all_of_it; Type: POLICY; Schema: library; Owner: -
--

CREATE POLICY "all_of_it" ON "library"."book" USING (true);


--
-- Name: book; Type: ROW SECURITY; Schema: library; Owner: -
--

ALTER TABLE "library"."book" ENABLE ROW LEVEL SECURITY;

--
-- Name: every; Type: PUBLICATION; Schema: -; Owner: -
--

CREATE PUBLICATION "every" WITH (publish = 'insert, update, delete, truncate');


--
-- Name: every author; Type: PUBLICATION TABLE; Schema: library; Owner: -
--

ALTER PUBLICATION "every" ADD TABLE ONLY "library"."author";


--
-- Name: count; Type: MATERIALIZED VIEW DATA; Schema: library; Owner: -
--

REFRESH MATERIALIZED VIEW "library"."count";


--
-- PostgreSQL database dump complete
--

\unrestrict LibraryKey

