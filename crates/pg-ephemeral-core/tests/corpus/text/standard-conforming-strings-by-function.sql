-- A function turns standard_conforming_strings off and on again between two statements.
CREATE TABLE item (v text);
SELECT set_config('standard_conforming_strings', 'off', false), set_config('escape_string_warning', 'off', false);
INSERT INTO item VALUES ('a\'; b');
DO $$ BEGIN PERFORM set_config('standard_conforming_strings', 'on', false); END $$;
INSERT INTO item VALUES ('a\');
