-- Large objects are imported from a file, exported, commented and removed.
\lo_import parts/image.bin 'a comment; of it'
SELECT lo_put(lo_create(4711), 0, lo_get(:LASTOID));
\lo_export :LASTOID /dev/null
\lo_list
\lo_unlink :LASTOID
SELECT lo_from_bytea(4712, '\x00ff5c270a');
COMMENT ON LARGE OBJECT 4712 IS 'five bytes';
CREATE ROLE reader;
GRANT SELECT ON LARGE OBJECT 4712 TO reader;
