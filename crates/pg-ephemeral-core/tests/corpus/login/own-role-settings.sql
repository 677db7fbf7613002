-- The superuser gets settings that every later connection has.
ALTER ROLE postgres SET datestyle = 'German';
ALTER ROLE postgres SET search_path = '';
ALTER ROLE postgres IN DATABASE postgres SET work_mem = '6MB';
ALTER ROLE postgres SET client_min_messages = 'error';
ALTER ROLE ALL SET lock_timeout = '30s';
CREATE TABLE public.item (id int);
