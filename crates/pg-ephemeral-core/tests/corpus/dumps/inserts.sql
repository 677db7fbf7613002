-- What pg_dump --inserts writes of a small library.
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

--
-- Name: library; Type: SCHEMA; Schema: -; Owner: postgres
--

CREATE SCHEMA library;


ALTER SCHEMA library OWNER TO postgres;

--
-- Name: SCHEMA library; Type: COMMENT; Schema: -; Owner: postgres
--

COMMENT ON SCHEMA library IS 'books; and their readers';


--
-- Name: isbn; Type: DOMAIN; Schema: library; Owner: postgres
--

CREATE DOMAIN library.isbn AS text
	CONSTRAINT isbn_check CHECK ((VALUE ~ '^[0-9-]+$'::text));


ALTER DOMAIN library.isbn OWNER TO postgres;

--
-- Name: state; Type: TYPE; Schema: library; Owner: postgres
--

CREATE TYPE library.state AS ENUM (
    'in',
    'lent; out'
);


ALTER TYPE library.state OWNER TO postgres;

--
-- Name: note(); Type: FUNCTION; Schema: library; Owner: postgres
--

CREATE FUNCTION library.note() RETURNS trigger
    LANGUAGE plpgsql
    AS $_$ BEGIN new.title := replace(new.title, '$$', ''); RETURN new; END $_$;


ALTER FUNCTION library.note() OWNER TO postgres;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: book; Type: TABLE; Schema: library; Owner: postgres
--

CREATE TABLE library.book (
    id integer NOT NULL,
    isbn library.isbn,
    title text,
    author_id integer,
    state library.state DEFAULT 'in'::library.state,
    tags text[],
    cover bytea,
    words tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, title)) STORED
);


ALTER TABLE library.book OWNER TO postgres;

--
-- Name: titles(); Type: FUNCTION; Schema: library; Owner: postgres
--

CREATE FUNCTION library.titles() RETURNS SETOF text
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT book.title
    FROM library.book
   ORDER BY book.id;
END;


ALTER FUNCTION library.titles() OWNER TO postgres;

--
-- Name: author; Type: TABLE; Schema: library; Owner: postgres
--

CREATE TABLE library.author (
    id integer NOT NULL,
    name text NOT NULL
);


ALTER TABLE library.author OWNER TO postgres;

--
-- Name: author_id_seq; Type: SEQUENCE; Schema: library; Owner: postgres
--

ALTER TABLE library.author ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME library.author_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: book_id_seq; Type: SEQUENCE; Schema: library; Owner: postgres
--

CREATE SEQUENCE library.book_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE library.book_id_seq OWNER TO postgres;

--
-- Name: book_id_seq; Type: SEQUENCE OWNED BY; Schema: library; Owner: postgres
--

ALTER SEQUENCE library.book_id_seq OWNED BY library.book.id;


--
-- Name: count; Type: MATERIALIZED VIEW; Schema: library; Owner: postgres
--

CREATE MATERIALIZED VIEW library.count AS
 SELECT count(*) AS count
   FROM library.book
  WITH NO DATA;


ALTER TABLE library.count OWNER TO postgres;

--
-- Name: lent; Type: VIEW; Schema: library; Owner: postgres
--

CREATE VIEW library.lent AS
 SELECT b.id,
    a.name
   FROM (library.book b
     JOIN library.author a ON ((a.id = b.author_id)))
  WHERE (b.state = 'lent; out'::library.state);


ALTER TABLE library.lent OWNER TO postgres;

--
-- Name: book id; Type: DEFAULT; Schema: library; Owner: postgres
--

ALTER TABLE ONLY library.book ALTER COLUMN id SET DEFAULT nextval('library.book_id_seq'::regclass);


--
-- Name: 4711; Type: BLOB; Schema: -; Owner: postgres
--

SELECT pg_catalog.lo_create('4711');


ALTER LARGE OBJECT 4711 OWNER TO postgres;

--
-- Data for Name: author; Type: TABLE DATA; Schema: library; Owner: postgres
--

INSERT INTO library.author OVERRIDING SYSTEM VALUE VALUES
	(1, 'O''Hara'),
	(2, 'Two
lines; \ and a 	 tab');
INSERT INTO library.author OVERRIDING SYSTEM VALUE VALUES
	(3, 'Zoë');


--
-- Data for Name: book; Type: TABLE DATA; Schema: library; Owner: postgres
--

INSERT INTO library.book VALUES
	(1, '1-2', 'it''s; here', 1, 'in', '{a,b;c}', '\x00ff', DEFAULT),
	(2, NULL, '\.', 2, 'lent; out', NULL, NULL, DEFAULT);
INSERT INTO library.book VALUES
	(3, '3', '', 3, 'in', '{}', '\x', DEFAULT);


--
-- Name: author_id_seq; Type: SEQUENCE SET; Schema: library; Owner: postgres
--

SELECT pg_catalog.setval('library.author_id_seq', 3, true);


--
-- Name: book_id_seq; Type: SEQUENCE SET; Schema: library; Owner: postgres
--

SELECT pg_catalog.setval('library.book_id_seq', 40, true);


--
-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: -
--

BEGIN;

SELECT pg_catalog.lo_open('4711', 131072);
SELECT pg_catalog.lowrite(0, '\x6162');
SELECT pg_catalog.lo_close(0);

COMMIT;

--
-- Name: author author_name_key; Type: CONSTRAINT; Schema: library; Owner: postgres
--

ALTER TABLE ONLY library.author
    ADD CONSTRAINT author_name_key UNIQUE (name);


--
-- Name: author author_pkey; Type: CONSTRAINT; Schema: library; Owner: postgres
--

ALTER TABLE ONLY library.author
    ADD CONSTRAINT author_pkey PRIMARY KEY (id);


--
-- Name: book book_pkey; Type: CONSTRAINT; Schema: library; Owner: postgres
--

ALTER TABLE ONLY library.book
    ADD CONSTRAINT book_pkey PRIMARY KEY (id);


--
-- Name: book_title_idx; Type: INDEX; Schema: library; Owner: postgres
--

CREATE INDEX book_title_idx ON library.book USING btree (title);


--
-- Name: author none; Type: RULE; Schema: library; Owner: postgres
--

CREATE RULE "none" AS
    ON DELETE TO library.author DO INSTEAD NOTHING;


--
-- Name: book note; Type: TRIGGER; Schema: library; Owner: postgres
--

CREATE TRIGGER note BEFORE INSERT ON library.book FOR EACH ROW EXECUTE FUNCTION library.note();


--
-- Name: book book_author_id_fkey; Type: FK CONSTRAINT; Schema: library; Owner: postgres
--

ALTER TABLE ONLY library.book
    ADD CONSTRAINT book_author_id_fkey FOREIGN KEY (author_id) REFERENCES library.author(id) DEFERRABLE INITIALLY DEFERRED;


--
-- Name: book all_of_it; Type: POLICY; Schema: library; Owner: postgres
--

CREATE POLICY all_of_it ON library.book USING (true);


--
-- Name: book; Type: ROW SECURITY; Schema: library; Owner: postgres
--

ALTER TABLE library.book ENABLE ROW LEVEL SECURITY;

--
-- Name: every; Type: PUBLICATION; Schema: -; Owner: postgres
--

CREATE PUBLICATION every WITH (publish = 'insert, update, delete, truncate');


ALTER PUBLICATION every OWNER TO postgres;

--
-- Name: every author; Type: PUBLICATION TABLE; Schema: library; Owner: postgres
--

ALTER PUBLICATION every ADD TABLE ONLY library.author;


--
-- Name: TABLE book; Type: ACL; Schema: library; Owner: postgres
--

GRANT SELECT ON TABLE library.book TO PUBLIC;


--
-- Name: count; Type: MATERIALIZED VIEW DATA; Schema: library; Owner: postgres
--

REFRESH MATERIALIZED VIEW library.count;


--
-- PostgreSQL database dump complete
--

\unrestrict LibraryKey

