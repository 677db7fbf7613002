use super::*;
use crate::config::{Config, Overrides};

/// Creates a project with these files, which are empty.
fn project(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    root
}

fn check(root: &tempfile::TempDir, seeds: &str) -> Vec<UnkeyedFiles> {
    let config = Config::parse(seeds, root.path().join("database.toml")).unwrap();
    let main = config.instance(&"main".parse().unwrap(), &Overrides::default()).unwrap();
    unkeyed_files(&main.name, &main.seeds, &main.folder)
}

/// Returns the globs that are proposed for the files of one seed.
fn proposed(root: &tempfile::TempDir, body: &str) -> Vec<String> {
    let found = check(root, &format!("[instances.main.seeds.it]\n{body}\n"));
    assert!(found.len() < 2);
    found.into_iter().flat_map(|found| found.files).map(|glob| glob.to_string()).collect()
}

fn of_script(root: &tempfile::TempDir, script: &str) -> Vec<String> {
    proposed(root, &format!("type = 'script'\nscript = {}", toml::Value::from(script)))
}

#[test]
fn the_warning_names_the_file_and_the_line_to_add() {
    let root = project(&["migrate.sh", "a.sql", "migrations/1.sql"]);
    let [warning] = &check(&root, "[instances.main.seeds.migrate]\ntype = 'script'\nscript = 'sh migrate.sh'\n")[..]
    else {
        panic!("one warning");
    };
    insta::assert_snapshot!(warning, @r#"seed "migrate" of instance main uses migrate.sh, which is not part of its cache key; the seed does not run again when it changes"#);
    insta::assert_snapshot!(warning.hint(), @r#"add this line to the seed: files = ["migrate.sh"]"#);

    let seeds = "[instances.main.seeds.migrate]\ntype = 'command'\ncommand = './migrate.sh'\n\
                 arguments = ['a.sql', 'migrations/']\nfiles = ['a.sql']\n";
    let [warning] = &check(&root, seeds)[..] else { panic!("one warning") };
    insta::assert_snapshot!(warning, @r#"seed "migrate" of instance main uses migrate.sh and migrations/, which are not part of its cache key; the seed does not run again when they change"#);
    insta::assert_snapshot!(warning.hint(), @r#"change the seed's `files` to: files = ["a.sql", "migrate.sh", "migrations/**/*"]"#);
}

#[test]
fn a_script_names_files_in_many_ways() {
    let root = project(&["a.sql", "my file.sql", "db/b.sql"]);
    for script in [
        "psql -f a.sql",
        "psql -f ./a.sql",
        "psql -f db/../a.sql",
        "psql -fa.sql",
        "psql --file=a.sql",
        "psql --file='a.sql'",
        "psql <a.sql",
        "psql -c \"$(cat a.sql)\"",
        "psql -c '\\i a.sql'",
        "cat a.sql | psql",
        "curl -d @a.sql x",
        "FILE=a.sql make",
        "psql -f \"$PWD/a.sql\"",
        "migrate -source file://a.sql up",
        "sh -c 'sh -c \"psql -f a.sql\"'",
        "for f in a.sql b.sql\ndo psql -f \"$f\"; done",
    ] {
        assert_eq!(of_script(&root, script), ["a.sql"], "{script}");
    }
    assert_eq!(of_script(&root, "psql -f 'my file.sql'"), ["my file.sql"]);
    assert_eq!(of_script(&root, "psql -f my\\ file.sql"), ["my file.sql"]);
    assert_eq!(of_script(&root, "load a.sql,db/b.sql"), ["a.sql", "db/b.sql"]);
    assert_eq!(of_script(&root, &format!("psql -f {}/a.sql", root.path().display())), ["a.sql"]);
}

#[test]
fn a_script_names_folders_and_globs() {
    let root = project(&["migrations/deep/1.sql", "db/[x]/a", "empty/.keep"]);
    assert_eq!(of_script(&root, "migrate --dir migrations/ up"), ["migrations/**/*"]);
    assert_eq!(of_script(&root, "cd migrations/ && load"), ["migrations/**/*"]);
    assert_eq!(of_script(&root, "cat migrations/*/*.sql | psql"), ["migrations/*/*.sql"]);
    assert_eq!(of_script(&root, "load 'db/[x]'"), ["db/[[]x[]]/**/*"]);
    for script in ["load empty", "load .", "load ./", "cat migrations/*.csv", "migrations up", "npm migrations"] {
        assert_eq!(of_script(&root, script), [""; 0], "{script}");
    }
}

#[test]
fn words_that_are_not_files_of_the_project_are_ignored() {
    let root = project(&["project/a.sql", "outside.sql", "project/test", "project/make"]);
    let project = root.path().join("project");
    for script in ["psql -f ../outside.sql", "psql -f /etc/passwd", "test -n x", "make", "# a.sql", "psql >a.sql", "x"]
    {
        let body = format!("[instances.main.seeds.it]\ntype = 'script'\nscript = '{script}'\n");
        let config = Config::parse(&body, project.join("database.toml")).unwrap();
        let main = config.instance(&"main".parse().unwrap(), &Overrides::default()).unwrap();
        assert_eq!(unkeyed_files(&main.name, &main.seeds, &main.folder), [], "{script}");
    }
}

#[test]
fn a_command_and_its_arguments_can_name_files() {
    let root = project(&["bin/load", "a.sql", "make"]);
    assert_eq!(proposed(&root, "type = 'command'\ncommand = './bin/load'"), ["bin/load"]);
    assert_eq!(proposed(&root, "type = 'command'\ncommand = 'make'"), [""; 0]);
    assert_eq!(proposed(&root, "type = 'command'\ncommand = 'psql'\narguments = ['-f', 'a.sql']"), ["a.sql"]);
    assert_eq!(proposed(&root, "type = 'command'\ncommand = 'sh'\narguments = ['-c', 'psql <a.sql']"), ["a.sql"]);
}

#[test]
fn a_file_that_a_key_covers_is_not_reported() {
    let root = project(&["a.sql", "m/1.sql", "m/README"]);
    for rest in [
        "files = ['a.sql', 'm/*.sql']",
        "files = ['**/*']",
        "cache = { type = 'none' }",
        "cache = { type = 'key-script', script = 'cat a.sql' }",
        "cache = { type = 'key-command', command = 'cat' }",
    ] {
        let script = "type = 'script'\nscript = 'psql -f a.sql; load m m/*.sql'";
        assert_eq!(proposed(&root, &format!("{script}\n{rest}")), [""; 0], "{rest}");
    }
    let chain = |seeds: &str| check(&root, &format!("[instances.main.seeds]\n{seeds}")).len();
    let script = "z = { type = 'script', script = 'psql -f a.sql' }\n";
    assert_eq!(chain(script), 1);
    assert_eq!(chain(&format!("s = {{ type = 'sql-file', path = './a.sql' }}\n{script}")), 0);
    assert_eq!(chain(&format!("{script}s = {{ type = 'sql-file', path = 'a.sql' }}\n")), 1);
    assert_eq!(chain(&format!("s = {{ type = 'sql-file', path = 'a.sql', git_revision = 'HEAD' }}\n{script}")), 1);
}

#[test]
fn a_path_with_a_variable_or_the_home_folder_is_a_warning_unless_the_seed_has_files() {
    let root = project(&["parts/a.sql"]);
    let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
    write("main.sql", "\\i b.sql\n\\ir ~/home.sql\n");
    write("b.sql", "\\set part parts\n\\i :part/a.sql\n");
    let seed = "[instances.main.seeds.load]\ntype = 'sql-file'\npath = 'main.sql'\n";
    let [warning] = &check(&root, seed)[..] else { panic!("one warning") };
    insta::assert_snapshot!(warning, @r#"seed "load" of instance main uses what `\ir ~/home.sql` names and what `\i :part/a.sql` names, which are not part of its cache key; the seed does not run again when they change"#);
    insta::assert_snapshot!(warning.hint(), @"list the files that are included this way in the seed's `files`");
    assert_eq!(warning.line(), None);
    assert_eq!(check(&root, &format!("{seed}files = ['parts/*.sql']\n")), []);

    let statement = "[instances.main.seeds.load]\ntype = 'sql-statement'\nstatement = '\\i :part/a.sql'\n";
    let [warning] = &check(&root, statement)[..] else { panic!("one warning") };
    insta::assert_snapshot!(warning.hint(), @"use a seed of type sql-file, and list the files that are included this way in its `files`");
}
