use std::process::Command;

use super::*;
use crate::layer::LinkCache;
use crate::model::SeedHash;

/// Reads the seeds of a configuration, with paths relative to a folder of the test.
async fn load_toml(folder: &Path, seeds: &str) -> Result<ReadSeeds, ReadError> {
    load_with(folder, seeds, &KnownHashes::default()).await
}

async fn load_with(folder: &Path, seeds: &str, known: &KnownHashes) -> Result<ReadSeeds, ReadError> {
    use crate::config::{Config, Overrides};
    let config = Config::parse(seeds, folder.join("database.toml")).unwrap();
    let main = config.instance(&"main".parse().unwrap(), &Overrides::default()).unwrap();
    read_with(&main.seeds, &main.folder, known).await
}

fn seed(body: &str) -> String {
    format!("[instances.main.seeds.it]\n{body}\n")
}

fn hash(seeds: &ReadSeeds) -> SeedHash {
    seeds.chain(SeedHash::of_text("base")).links().last().unwrap().hash.clone()
}

/// Returns the text of an error with all its causes.
fn error_chain(error: &ReadError) -> String {
    let mut error_chain = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        error_chain += &format!(" <- {error}");
        cause = error.source();
    }
    error_chain
}

async fn text(folder: &Path, body: &str) -> String {
    match &load_toml(folder, &seed(body)).await.unwrap().get(0).unwrap().body {
        Body::Sql(script) => String::from_utf8(script.content.start(u64::MAX).unwrap()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"];
    let status = Command::new("git").arg("-C").arg(folder).args(identity).args(arguments).output().unwrap();
    assert!(status.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&status.stderr));
}

/// Creates a repository with two versions of `db/a.sql`, tagged `one` and `two`. The working tree does not have the
/// file.
fn repository() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let path = root.path();
    std::fs::create_dir(path.join("db")).unwrap();
    git(path, &["init", "-q"]);
    for version in ["one", "two"] {
        std::fs::write(path.join("db/a.sql"), format!("select '{version}'")).unwrap();
        git(path, &["add", "."]);
        git(path, &["commit", "-q", "-m", version]);
        git(path, &["tag", version]);
    }
    std::fs::remove_dir_all(path.join("db")).unwrap();
    root
}

#[tokio::test]
async fn a_file_of_a_git_revision_is_read_from_any_folder() {
    let root = repository();
    let deep = root.path().join("config/deep");
    std::fs::create_dir_all(&deep).unwrap();
    let absolute = root.path().join("db/a.sql").display().to_string();
    for (folder, path) in [(root.path(), "db/a.sql"), (&deep, "../../db/a.sql"), (Path::new("/"), absolute.as_str())] {
        for revision in ["one", "HEAD~1", ":/one"] {
            let body = format!("type = 'sql-file'\npath = '{path}'\ngit_revision = '{revision}'");
            assert_eq!(text(folder, &body).await, "select 'one'", "{path} {revision}");
        }
    }
}

#[tokio::test]
async fn symbolic_links_of_a_git_revision_are_followed() {
    let root = repository();
    std::fs::create_dir(root.path().join("links")).unwrap();
    std::os::unix::fs::symlink("two.sql", root.path().join("links/one.sql")).unwrap();
    std::os::unix::fs::symlink("../db/a.sql", root.path().join("links/two.sql")).unwrap();
    std::os::unix::fs::symlink("loop.sql", root.path().join("links/loop.sql")).unwrap();
    git(root.path(), &["reset", "-q", "--hard"]);
    git(root.path(), &["add", "links"]);
    git(root.path(), &["commit", "-q", "-m", "links"]);
    std::fs::remove_dir_all(root.path().join("links")).unwrap();
    let body = |path: &str| format!("type = 'sql-file'\npath = '{path}'\ngit_revision = 'HEAD'");
    assert_eq!(text(root.path(), &body("links/one.sql")).await, "select 'two'");
    let error = load_toml(root.path(), &seed(&body("links/loop.sql"))).await.unwrap_err();
    assert!(error_chain(&error).contains("too many symbolic links"), "{}", error_chain(&error));
}

#[tokio::test]
async fn a_file_of_a_git_revision_is_read_in_a_worktree() {
    let root = repository();
    let other = tempfile::tempdir().unwrap();
    let worktree = other.path().join("worktree");
    git(root.path(), &["worktree", "add", "-q", "--detach", worktree.to_str().unwrap(), "one"]);
    let body = "type = 'sql-file'\npath = 'a.sql'\ngit_revision = 'two'";
    assert_eq!(text(&worktree.join("db"), body).await, "select 'two'");
}

#[tokio::test]
async fn errors_about_git_revisions_say_what_is_missing() {
    let root = repository();
    let outside = tempfile::tempdir().unwrap();
    let failed = async |folder: &Path, path: &str, revision: &str| {
        let body = format!("type = 'sql-file'\npath = '{path}'\ngit_revision = '{revision}'");
        error_chain(&load_toml(folder, &seed(&body)).await.unwrap_err())
    };
    let unknown = failed(root.path(), "db/a.sql", "three").await;
    assert!(unknown.starts_with("failed to read seed \"it\": db/a.sql <- the repository of "), "{unknown}");
    assert!(unknown.ends_with(" has no commit three"), "{unknown}");
    let unknown = failed(root.path(), "db/a.sql", &"a".repeat(40)).await;
    assert!(unknown.contains(" has no commit aaaa"), "{unknown}");
    let missing = failed(root.path(), "db/b.sql", "one").await;
    assert!(missing.starts_with("failed to read seed \"it\": db/b.sql <- commit one has no such file: "), "{missing}");
    let no_repository = failed(outside.path(), "a.sql", "one").await;
    assert!(no_repository.contains("find the git repository of "), "{no_repository}");
}

#[tokio::test]
async fn moving_a_file_keeps_its_key_and_changing_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.sql", "select 1");
    write("b.sql", "select 1");
    write("c.csv", "id\n1\n");
    write("d.csv", "id\n1\n");
    let sql = async |path: &str| {
        hash(&load_toml(folder.path(), &seed(&format!("type = 'sql-file'\npath = '{path}'"))).await.unwrap())
    };
    let csv = async |path: &str, rest: &str| {
        let body = format!("type = 'csv-file'\npath = '{path}'\ntable = {{ schema = 'public', table = 't' }}\n{rest}");
        hash(&load_toml(folder.path(), &seed(&body)).await.unwrap())
    };
    let before = (sql("a.sql").await, csv("c.csv", "").await);
    assert_eq!((sql("b.sql").await, csv("d.csv", "").await), before);
    assert_ne!(csv("c.csv", "delimiter = ';'").await, before.1);
    write("a.sql", "select 2");
    write("c.csv", "id\n2\n");
    assert_ne!(sql("a.sql").await, before.0);
    assert_ne!(csv("c.csv", "").await, before.1);
}

#[tokio::test]
async fn the_output_of_a_key_program_is_part_of_the_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("version"), "1").unwrap();
    let script = seed("type = 'script'\nscript = 'true'\ncache = { type = 'key-script', script = 'cat version' }");
    let command = seed(
        "type = 'command'\ncommand = 'true'\ncache = { type = 'key-command', command = 'cat', arguments = ['version'] }",
    );
    let both = async || {
        let seeds =
            [load_toml(folder.path(), &script).await.unwrap(), load_toml(folder.path(), &command).await.unwrap()];
        seeds.map(|seeds| hash(&seeds))
    };
    let before = both().await;
    assert_eq!(both().await, before);
    std::fs::write(folder.path().join("version"), "2").unwrap();
    let after = both().await;
    assert!(before.iter().zip(&after).all(|(before, after)| before != after));
}

#[tokio::test]
async fn the_error_for_a_failed_key_program_quotes_its_output() {
    let folder = tempfile::tempdir().unwrap();
    let cache = "cache = { type = 'key-script', script = 'echo no network >&2; exit 3' }";
    let error =
        load_toml(folder.path(), &seed(&format!("type = 'script'\nscript = 'true'\n{cache}"))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to read seed \"it\": the script of its cache key ended with exit status: 3: no network"
    );
    let cache = "cache = { type = 'key-command', command = './gone' }";
    let error =
        load_toml(folder.path(), &seed(&format!("type = 'script'\nscript = 'true'\n{cache}"))).await.unwrap_err();
    assert!(
        error_chain(&error)
            .starts_with("failed to read seed \"it\": can't start the command ./gone of its cache key <- "),
        "{}",
        error_chain(&error)
    );
}

#[tokio::test]
async fn a_seed_with_cache_none_ends_the_cached_part_of_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let seeds = "[instances.main.seeds]\na = { type = 'script', script = 'x', cache = { type = 'none' } }\n\
                 b = { type = 'sql-statement', statement = 'select 1' }\n";
    let chain = load_toml(folder.path(), seeds).await.unwrap().chain(SeedHash::of_text("base"));
    assert_eq!(chain.hashes().count(), 1);
    assert_eq!(chain.links()[1].cache, LinkCache::Broken { by: "a".parse().unwrap() });
}

#[tokio::test]
async fn a_file_that_can_not_be_read_is_named_as_the_user_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    let failed = async |body: &str| error_chain(&load_toml(folder.path(), &seed(body)).await.unwrap_err());
    let missing = failed("type = 'sql-file'\npath = 'db/a.sql'").await;
    assert_eq!(missing, "failed to read seed \"it\": can't open db/a.sql <- No such file or directory (os error 2)");
    let csv = failed("type = 'csv-file'\npath = 'gone.csv'\ntable = { schema = 'public', table = 't' }").await;
    assert_eq!(csv, "failed to read seed \"it\" <- failed to open gone.csv <- No such file or directory (os error 2)");
}

#[tokio::test]
async fn the_first_of_several_broken_seeds_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let seeds = "[instances.main.seeds]\n\
                 a = { type = 'script', script = 'x', cache = { type = 'key-script', script = 'sleep 0.1; exit 1' } }\n\
                 b = { type = 'sql-file', path = 'gone.sql' }\n";
    let error = load_toml(folder.path(), seeds).await.unwrap_err();
    assert!(error.to_string().starts_with("failed to read seed \"a\": "), "{error}");
}

#[tokio::test]
async fn names_and_contents_of_included_files_are_part_of_a_script_s_key() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let key = async |body: &str| hash(&load_toml(folder.path(), &seed(body)).await.unwrap());
    let file = "type = 'sql-file'\npath = 'a.sql'";
    let statement = "type = 'sql-statement'\nstatement = '\\i b.sql'";
    write("a.sql", "\\ir b.sql\n\\copy t from t.csv\n");
    let without = key(file).await;
    write("b.sql", "\\i c.sql\n\\i a.sql\n");
    write("t.csv", "1\n");
    let with = key(file).await;
    assert_ne!(with, without);
    for (name, text) in [("c.sql", "select 1;\n"), ("c.sql", "select 2;\n"), ("t.csv", "2\n")] {
        let before = (key(file).await, key(statement).await);
        write(name, text);
        assert_ne!(key(file).await, before.0, "{name}");
        assert_eq!(key(statement).await != before.1, name == "c.sql" || name == "t.csv", "{name}");
    }
    let named = "type = 'sql-file'\npath = 'v.sql'\nfiles = ['x.*']";
    write("v.sql", "\\i :file\n");
    write("x.sql", "select 1;\n");
    let before = key(named).await;
    write("x.sql", "select 2;\n");
    assert_ne!(key(named).await, before);
}

#[tokio::test]
async fn files_of_a_container_script_keep_their_paths_and_are_part_of_the_key() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("project");
    std::fs::create_dir_all(folder.join("lists")).unwrap();
    let outside = root.path().join("shared.deb");
    let script = |files: &str| seed(&format!("type = 'container-script'\nscript = 'true'\nfiles = [{files}]"));
    let files = format!("'./lists/a', '../shared.deb', '{}/b'", root.path().display());
    for path in [&folder.join("lists/a"), &outside, &root.path().join("b")] {
        std::fs::write(path, path.file_name().unwrap().as_encoded_bytes()).unwrap();
    }

    let loaded = load_toml(&folder, &script(&files)).await.unwrap();
    let names: Vec<_> = loaded.get(0).unwrap().script_files().iter().map(|file| file.name.clone()).collect();
    assert_eq!(names, ["b", "shared.deb", "lists/a"]);
    assert_eq!(loaded.get(0).unwrap().script_files()[1].content, b"shared.deb");

    std::fs::write(&outside, "another").unwrap();
    assert_ne!(hash(&load_toml(&folder, &script(&files)).await.unwrap()), hash(&loaded));

    std::fs::create_dir(folder.join("../other")).unwrap();
    std::fs::write(folder.join("../other/shared.deb"), "").unwrap();
    let twice = load_toml(&folder, &script("'../*/*.deb', '../*.deb'")).await.unwrap_err();
    assert_eq!(error_chain(&twice), "failed to read seed \"it\": two of its files are shared.deb inside the image");
    let missing = load_toml(&folder, &script("'lists/none'")).await.unwrap_err();
    assert_eq!(error_chain(&missing), "failed to read seed \"it\" <- no file matches \"lists/none\"");
    assert!(missing.hint().unwrap().contains("globs start from"));
}

#[tokio::test]
async fn names_and_contents_of_files_are_part_of_the_key_of_a_script_and_of_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("m")).unwrap();
    for file in ["load.sh", "m/1.sql", "m/2.sql", "m/README"] {
        std::fs::write(path(file), file).unwrap();
    }
    let keys = async || {
        let mut keys = Vec::new();
        for body in ["type = 'script'\nscript = 'sh load.sh'", "type = 'command'\ncommand = './load.sh'"] {
            let body = format!("{body}\nfiles = ['m/*.sql', 'load.sh']");
            keys.push(hash(&load_toml(folder.path(), &seed(&body)).await.unwrap()));
        }
        keys
    };
    let changed = |before: &[SeedHash], after: &[SeedHash]| before.iter().zip(after).all(|(one, other)| one != other);
    let before = keys().await;
    std::fs::write(path("m/README"), "changed").unwrap();
    assert_eq!(keys().await, before, "a file that no glob matches is not part of the key");

    std::fs::write(path("m/2.sql"), "changed").unwrap();
    let edited = keys().await;
    assert!(changed(&before, &edited), "an edited file");
    std::fs::rename(path("m/2.sql"), path("m/3.sql")).unwrap();
    let renamed = keys().await;
    assert!(changed(&edited, &renamed), "a renamed file");
    std::fs::write(path("m/4.sql"), "").unwrap();
    let added = keys().await;
    assert!(changed(&renamed, &added), "an added file");
    std::fs::remove_file(path("m/4.sql")).unwrap();
    assert_eq!(keys().await, renamed, "the same files give the same key");
}

#[tokio::test]
async fn an_empty_list_of_files_does_not_change_the_key_and_cache_none_stays_uncached() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "").unwrap();
    let script = "type = 'script'\nscript = 'true'";
    let without = hash(&load_toml(folder.path(), &seed(script)).await.unwrap());
    let empty = hash(&load_toml(folder.path(), &seed(&format!("{script}\nfiles = []"))).await.unwrap());
    assert_eq!(without, empty);
    let none = seed(&format!("{script}\nfiles = ['a']\ncache = {{ type = 'none' }}"));
    let chain = load_toml(folder.path(), &none).await.unwrap().chain(SeedHash::of_text("base"));
    assert_eq!(chain.hashes().count(), 1);
}

#[tokio::test]
async fn a_packed_dump_or_script_and_a_part_of_a_dump_folder_are_refused_with_a_hint() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(root.path().join(name), bytes).unwrap();
    std::fs::create_dir(root.path().join("dump")).unwrap();
    write("dump/toc.dat", b"PGDMP\x01\x0e\x00\x04\x08\x03 and so on");
    let mut tar = vec![0; 1024];
    tar[..5].copy_from_slice(b"dump/");
    tar[257..262].copy_from_slice(b"ustar");
    let mut tgz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut tgz, &tar).unwrap();
    write("dump.tgz", &tgz.finish().unwrap());
    for (kind, path, expected) in [
        (
            "dump",
            "dump/toc.dat",
            "failed to read seed \"it\" <- dump/toc.dat is the table of contents of a dump in directory format",
        ),
        ("dump", "dump.tgz", "failed to read seed \"it\" <- dump.tgz is a tar archive, which pg_dump did not write"),
        ("sql-file", "dump.tgz", "seed \"it\" can't run dump.tgz: it is a tar archive, which pg_dump did not write"),
    ] {
        let error = load_toml(root.path(), &seed(&format!("type = '{kind}'\npath = '{path}'"))).await.unwrap_err();
        assert_eq!(error_chain(&error), expected);
        assert!(error.hint().is_some(), "{expected}");
    }
}

#[tokio::test]
async fn a_large_file_whose_hash_is_known_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let large = "-- A long comment that makes the script large.\n".repeat(400_000);
    std::fs::write(path("plain.sql"), &large).unwrap();
    std::fs::write(path("including.sql"), format!("{large}\\ir other.sql\n")).unwrap();
    std::fs::write(path("other.sql"), "select 1;").unwrap();
    // Only files that were changed a while ago are remembered.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let seeds = [
        ("type = \"sql-file\"\npath = \"plain.sql\"", true),
        ("type = \"dump\"\npath = \"plain.sql\"", true),
        ("type = \"script\"\nscript = \"true\"\nfiles = [\"plain.sql\"]", true),
        ("type = \"sql-file\"\npath = \"including.sql\"", false),
    ];
    for (number, (body, is_remembered)) in seeds.into_iter().enumerate() {
        let hashes = path(&format!("hashes-{number}"));
        let known = KnownHashes::in_folder(hashes.clone());
        let load = async || hash(&load_with(folder.path(), &seed(body), &known).await.unwrap());
        let first = load().await;
        assert_eq!(first, load().await, "{body}");
        assert_eq!(first, hash(&load_toml(folder.path(), &seed(body)).await.unwrap()), "{body}");
        let records: Vec<_> =
            std::fs::read_dir(&hashes).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(records.len(), usize::from(is_remembered), "{body}");
        // A record that says something else shows that the file is not read.
        for record in records {
            let text = std::fs::read_to_string(&record).unwrap();
            let content = blake3::hash(large.as_bytes()).to_hex();
            let other = text.replace(content.as_str(), blake3::hash(b"other").to_hex().as_str());
            assert_ne!(text, other);
            std::fs::write(&record, other).unwrap();
            assert_ne!(first, load().await, "{body}");
        }
    }
}
