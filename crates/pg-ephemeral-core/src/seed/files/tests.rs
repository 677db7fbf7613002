use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;

fn folder(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join("project").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    root
}

fn globs(globs: &[&str]) -> Vec<FileGlob> {
    globs.iter().map(|glob| glob.parse().unwrap()).collect()
}

fn names(root: &tempfile::TempDir, patterns: &[&str]) -> Vec<String> {
    let found = find(&root.path().join("project"), &globs(patterns)).unwrap();
    found.into_iter().map(|file| file.name.display().to_string()).collect()
}

#[test]
fn files_are_found_once_and_sorted_by_name() {
    let root = folder(&["b.sql", "a.sql", "m/2.sql", "m/1.sql", "m/deep/er/3.sql", "m/x.txt"]);
    assert_eq!(names(&root, &["b.sql", "*.sql", "./a.sql"]), ["a.sql", "b.sql"]);
    assert_eq!(names(&root, &["m/*.sql"]), ["m/1.sql", "m/2.sql"]);
    assert_eq!(names(&root, &["m/**/*.sql"]), ["m/1.sql", "m/2.sql", "m/deep/er/3.sql"]);
    assert_eq!(names(&root, &["m/**"]), ["m/1.sql", "m/2.sql", "m/deep/er/3.sql", "m/x.txt"]);
    assert_eq!(names(&root, &["**/er/?.sql", "m/[!2].sql"]), ["m/1.sql", "m/deep/er/3.sql"]);
    assert_eq!(names(&root, &["**/**/3.sql"]), ["m/deep/er/3.sql"]);
}

#[test]
fn hidden_files_are_found_only_by_globs_that_name_the_dot() {
    let root = folder(&[".env", "a", ".git/config", "m/.keep", "m/a"]);
    assert_eq!(names(&root, &["**/*"]), ["a", "m/a"]);
    assert_eq!(names(&root, &[".env", ".git/*", "m/.*"]), [".env", ".git/config", "m/.keep"]);
    assert_eq!(names(&root, &["**/.*"]), [".env", "m/.keep"]);
}

#[test]
fn a_glob_may_lead_out_of_the_folder_or_be_absolute() {
    let root = folder(&["../shared/b.sql", "a.sql"]);
    let absolute = |name: &str| root.path().join(name).display().to_string();
    assert_eq!(names(&root, &["../shared/*"]), ["../shared/b.sql"]);
    assert_eq!(names(&root, &[&absolute("project/*")]), ["a.sql"]);
    assert_eq!(names(&root, &[&absolute("shared/*")]), [absolute("shared/b.sql")]);
}

#[test]
fn links_are_followed_and_loops_end() {
    let root = folder(&["m/1.sql", "../shared/2.sql"]);
    let project = root.path().join("project");
    symlink("../../shared", project.join("m/linked")).unwrap();
    symlink("..", project.join("m/up")).unwrap();
    symlink("2.sql", project.join("../shared/3.sql")).unwrap();
    symlink("itself", project.join("m/itself")).unwrap();
    symlink("nothing", project.join("m/nothing")).unwrap();
    assert_eq!(names(&root, &["m/**/*.sql"]), ["m/1.sql", "m/linked/2.sql", "m/linked/3.sql"]);
    assert_eq!(names(&root, &["m/*"]), ["m/1.sql"]);
    assert_eq!(names(&root, &["m/*/*.sql"]), ["m/linked/2.sql", "m/linked/3.sql"]);
}

#[test]
fn a_name_that_is_not_utf8_is_found() {
    let root = folder(&["a"]);
    let odd = std::ffi::OsStr::from_bytes(b"odd\xff.sql");
    if fs::write(root.path().join("project").join(odd), "").is_err() {
        // Some file systems do not allow such names.
        return;
    }
    let found = find(&root.path().join("project"), &globs(&["*.sql"])).unwrap();
    assert_eq!(found[0].name.as_os_str(), odd);
}

#[test]
fn a_glob_without_a_file_is_an_error_with_a_hint() {
    let root = folder(&["m/a", ".env"]);
    let failed = |pattern: &str| find(&root.path().join("project"), &globs(&["m/*", pattern])).unwrap_err();
    for pattern in ["*.sql", "gone/*", "m/a/*", "?env", "gone.sql", ".", "m/**/*.sql"] {
        let error = failed(pattern);
        assert_eq!(error.to_string(), format!("no file matches \"{pattern}\""));
    }
    assert!(failed("*.sql").hint().unwrap().starts_with("globs start from"));
    assert!(failed("m").hint().unwrap().starts_with("the glob names a folder"));
}

#[tokio::test]
async fn contents_are_hashed() {
    let root = folder(&["a", "b"]);
    let project = root.path().join("project");
    let hashed = hash(&project, &globs(&["*"]), &KnownHashes::default()).await.unwrap();
    assert_eq!(hashed[0].hash, blake3::hash(b"a"));
    assert_eq!(hashed[1].hash, blake3::hash(b"b"));
    assert_eq!(hashed[1].path, project.join("b"));
    assert!(hash(&project, &[], &KnownHashes::default()).await.unwrap().is_empty());
}
