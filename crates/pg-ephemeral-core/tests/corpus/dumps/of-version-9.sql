-- The head and the forms of dumps that PostgreSQL 8 and 9 wrote.
--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET client_encoding = 'LATIN1';
SET standard_conforming_strings = off;
SET check_function_bodies = false;
SET client_min_messages = warning;
SET escape_string_warning = off;
SET search_path = public, pg_catalog;
SET default_tablespace = '';

CREATE OR REPLACE PROCEDURAL LANGUAGE plpgsql;
CREATE FUNCTION quoted() RETURNS text
    AS 'SELECT ''it\\''s; ''::text'
    LANGUAGE sql;
CREATE TABLE item (
    id integer NOT NULL,
    v character varying(20) DEFAULT 'a\\b;\''::character varying
);
ALTER TABLE public.item OWNER TO postgres;
CREATE SEQUENCE item_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MAXVALUE
    NO MINVALUE
    CACHE 1;
ALTER SEQUENCE item_id_seq OWNED BY item.id;
SELECT pg_catalog.setval('item_id_seq', 3, true);
ALTER TABLE item ALTER COLUMN id SET DEFAULT nextval('item_id_seq'::regclass);
INSERT INTO item VALUES (1, 'one\\two');
COPY item (id, v) FROM stdin;
2	two
3	\\q\t
\.
ALTER TABLE ONLY item
    ADD CONSTRAINT item_pkey PRIMARY KEY (id);
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO postgres;
GRANT ALL ON SCHEMA public TO PUBLIC;
