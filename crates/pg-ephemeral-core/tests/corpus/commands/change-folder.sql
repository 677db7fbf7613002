-- \cd changes what \i and \copy start from.
CREATE TABLE item (v text);
\cd parts
\i first.sql
\cd deep
\i er/third.sql
\cd ../..
\i parts/second.sql
