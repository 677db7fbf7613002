use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::seed::spec::{CsvDelimiter, CsvTable};

fn sql(text: &str, source: SqlSource) -> Body {
    Body::Sql(SqlScript::of_content(source, text))
}

fn program(text: ProgramText, cache: CacheKey) -> Body {
    with_files(text, &[], cache)
}

fn with_files(text: ProgramText, files: &[(String, String)], cache: CacheKey) -> Body {
    let file = |(name, content): &(String, String)| HashedFile {
        name: PathBuf::from(name),
        path: PathBuf::from("/project").join(name),
        hash: blake3::hash(content.as_bytes()),
    };
    let files = files.iter().map(file).collect();
    Body::Program { program: Program { text, folder: PathBuf::from("/project") }, files, cache }
}

fn csv(content: &str, schema: &str, table: &str, delimiter: &str) -> Body {
    let table = CsvTable { schema: schema.parse().unwrap(), table: table.parse().unwrap() };
    let delimiter: CsvDelimiter = delimiter.parse().unwrap();
    Body::Csv(CsvFile::of_content(Path::new("data.csv"), table, delimiter, blake3::hash(content.as_bytes())))
}

/// Generates short texts of few characters, so that equal texts in different fields are frequent.
fn text() -> impl Strategy<Value = String> {
    "[ab]{0,2}"
}

fn cache() -> impl Strategy<Value = CacheKey> {
    prop_oneof![
        Just(CacheKey::Nothing),
        Just(CacheKey::Uncacheable),
        text().prop_map(|output| CacheKey::Output(blake3::hash(output.as_bytes()))),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        text().prop_map(|text| sql(&text, SqlSource::Statement)),
        text().prop_map(|text| sql(&text, SqlSource::File(PathBuf::from("a.sql")))),
        (text(), "[ab]{1,2}", "[ab]{1,2}", "[ab,]")
            .prop_map(|(content, schema, table, delimiter)| csv(&content, &schema, &table, &delimiter)),
        (text(), cache()).prop_map(|(script, cache)| program(ProgramText::Script(script), cache)),
        (text(), vec((text(), text()), 0..3), cache()).prop_map(|(script, files, cache)| with_files(
            ProgramText::Script(script),
            &files,
            cache
        )),
        (text(), vec(text(), 0..3), cache())
            .prop_map(|(command, arguments, cache)| program(ProgramText::Command { command, arguments }, cache)),
        (text(), vec((text(), text()), 0..2)).prop_map(|(script, files)| {
            let file = |(name, content): (String, String)| ScriptFile { name, content: content.into_bytes() };
            Body::ContainerScript { script, files: files.into_iter().map(file).collect() }
        }),
    ]
}

fn layers(bodies: &[Body]) -> Vec<SeedHash> {
    let seeds = bodies.iter().enumerate();
    let seeds = seeds.map(|(index, body)| ReadSeed::new(format!("s{index}").parse().unwrap(), body.clone()));
    let chain = ReadSeeds::new(seeds.collect()).chain(SeedHash::of_text("base"));
    chain.links().iter().map(|link| link.hash.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn two_chains_share_the_keys_of_their_common_start_and_no_others(
        left in vec(body(), 0..4),
        right in vec(body(), 0..4),
    ) {
        let same = left.iter().zip(&right).take_while(|(left, right)| left.hash() == right.hash()).count();
        let (left, right) = (layers(&left), layers(&right));
        prop_assert_eq!(&left[..same], &right[..same]);
        prop_assert!(left[same..].iter().all(|hash| !right.contains(hash)));
    }
}

#[test]
fn the_path_of_a_file_is_not_part_of_its_hash() {
    let elsewhere = SqlSource::File(PathBuf::from("db/b.sql"));
    let revision = SqlSource::Revision { revision: "HEAD".parse().unwrap(), path: PathBuf::from("a.sql") };
    let hash = sql("select 1", SqlSource::File(PathBuf::from("a.sql"))).hash();
    assert_eq!(sql("select 1", elsewhere).hash(), hash);
    assert_eq!(sql("select 1", revision).hash(), hash);
}

#[test]
fn the_name_of_a_seed_is_not_part_of_its_hash() {
    let seed = |name: &str| ReadSeed::new(name.parse().unwrap(), sql("select 1", SqlSource::Statement));
    assert_eq!(seed("a").content, seed("b").content);
}

#[test]
fn a_description_contains_neither_bodies_nor_arguments() {
    let describe = |body| ReadSeed::new("s".parse().unwrap(), body).description();
    assert_eq!(describe(sql("select 'secret';\nselect 2\n", SqlSource::Statement)), "2 lines");
    assert_eq!(describe(program(ProgramText::Script("echo secret".to_owned()), CacheKey::Nothing)), "1 line");
    let command = ProgramText::Command { command: "bin/migrate".to_owned(), arguments: vec!["secret".to_owned()] };
    assert_eq!(describe(program(command, CacheKey::Nothing)), "bin/migrate");
    assert_eq!(describe(csv("secret", "public", "t", ",")), "data.csv");
    let revision = SqlSource::Revision { revision: "HEAD~2".parse().unwrap(), path: PathBuf::from("db/a.sql") };
    assert_eq!(describe(sql("secret", revision)), "HEAD~2:db/a.sql");
}

#[test]
fn libraries_change_the_keys_of_the_seeds_after_the_last_container_script() {
    let script = |text: &str| Body::ContainerScript { script: text.to_owned(), files: Vec::new() };
    let statement = |text: &str| sql(text, SqlSource::Statement);
    let bodies = [statement("1"), script("a"), statement("2"), script("b"), statement("3"), statement("4")];
    let seeds: Vec<_> =
        (0..).zip(bodies).map(|(n, body)| ReadSeed::new(format!("s{n}").parse().unwrap(), body)).collect();
    let seeds = ReadSeeds::new(seeds);
    let keys = |assignment: &str| {
        let libraries = [assignment.parse().unwrap()].into_iter().collect();
        let chain = seeds.chain_with_libraries(SeedHash::of_text("base"), &libraries);
        chain.links().iter().map(|link| link.hash.clone()).collect::<Vec<_>>()
    };
    let (one, other) = (keys("shared_preload_libraries=a"), keys("shared_preload_libraries=b"));
    let same: Vec<_> = one.iter().zip(&other).map(|(one, other)| one == other).collect();
    assert_eq!(same, [true, true, true, true, false, false]);
    assert_eq!(one, keys("SHARED_PRELOAD_LIBRARIES=a"));
}
