//! SQL statements and queries about databases.

/// Returns a name as a quoted SQL identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Lists all databases except templates: name, comment, number of connections, and size in bytes.
pub(super) const LIST: &str = "\
SELECT datname::text, shobj_description(oid, 'pg_database'), \
       (SELECT count(*) FROM pg_stat_activity AS activity WHERE activity.datid = pg_database.oid), \
       pg_database_size(oid) \
FROM pg_database WHERE NOT datistemplate ORDER BY datname::text COLLATE \"C\"";

/// Terminates the connections to a database without waiting until they have ended. Returns one row per connection.
pub(super) const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";

/// Returns statements that give a copy what `CREATE DATABASE` does not copy: the owner, the privileges, the settings of
/// the database, and the settings of roles in it. Each row has the text before and after the name of the copy. Values
/// of settings that are lists are stored as they must be written, so they are not quoted.
pub(super) const PROPERTIES: &str = "\
WITH source AS (SELECT oid, datdba, datacl FROM pg_database WHERE datname = $1) \
SELECT 1, 'ALTER DATABASE ', format(' OWNER TO %I', pg_get_userbyid(datdba)) FROM source \
WHERE pg_get_userbyid(datdba) <> current_user \
UNION ALL \
SELECT 2, 'REVOKE ALL ON DATABASE ', ' FROM PUBLIC' FROM source WHERE datacl IS NOT NULL \
UNION ALL \
SELECT 3, format('GRANT %s ON DATABASE ', privilege_type), \
       format(' TO %s%s', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END, \
              CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END) \
FROM source, aclexplode(datacl) WHERE grantee <> datdba \
UNION ALL \
SELECT 4, CASE setrole WHEN 0 THEN 'ALTER DATABASE ' ELSE format('ALTER ROLE %I IN DATABASE ', pg_get_userbyid(setrole)) END, \
       format(' SET %s TO %s', split_part(setting, '=', 1), \
              CASE WHEN lower(split_part(setting, '=', 1)) IN ('local_preload_libraries', 'search_path', \
                        'session_preload_libraries', 'shared_preload_libraries', 'temp_tablespaces') \
                   THEN substr(setting, strpos(setting, '=') + 1) \
                   ELSE quote_literal(substr(setting, strpos(setting, '=') + 1)) END) \
FROM source JOIN pg_db_role_setting ON setdatabase = source.oid, unnest(setconfig) AS setting \
ORDER BY 1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_name_is_doubled() {
        assert_eq!(quoted("a\"b c"), "\"a\"\"b c\"");
    }
}
