//! Property tests of the fuzzing properties, so that every test run checks them. Those of the configuration are in the
//! module of the configuration.

use proptest::prelude::*;

/// Scripts made of the pieces of psql's syntax that decide which files a script names.
fn psql_script() -> impl Strategy<Value = String> {
    let pieces = [
        "\\",
        "\\i ",
        "\\ir ",
        "\\include ",
        "\\copy ",
        "\\lo_import ",
        " from ",
        " to ",
        "stdin",
        "'",
        "\"",
        "(",
        ")",
        "a.sql",
        ":v",
        "`",
        ";",
        " ",
        "\n",
        "\r",
        "é",
        "\\x41",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..30).prop_map(|pieces| pieces.concat())
}

fn header() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 14] = [
        b"a",
        b"b",
        b",",
        b";",
        b"\t",
        b"|",
        b"\"",
        b"\"\"",
        b"\n",
        b"\r\n",
        b" ",
        b"\xff",
        "\u{feff}".as_bytes(),
        "é".as_bytes(),
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..12).prop_map(|pieces| pieces.concat())
}

fn label() -> impl Strategy<Value = String> {
    let owner = serde_json::to_string(&crate::model::owner::Owner::current()).unwrap();
    let cut = (0..=owner.len()).prop_map(move |end| owner[..owner.floor_char_boundary(end)].to_owned());
    prop_oneof![any::<String>(), any::<u64>().prop_map(|seconds| seconds.to_string()), "[+-]?[0-9]{0,21}", cut]
}

fn seeds() -> impl Strategy<Value = String> {
    let hash = "[0-9a-f]{64}";
    let kind = prop::sample::select(vec!["sql-file", "csv-file", "script", "nothing"]);
    let seed = ("[a-z]{1,3}", kind, hash, "\\PC{0,9}").prop_map(|(name, kind, hash, description)| {
        serde_json::json!({"name": name, "type": kind, "hash": hash, "description": description})
    });
    let whole = prop::collection::vec(seed, 0..4).prop_map(|seeds| serde_json::Value::from(seeds).to_string());
    (whole, prop::option::of((any::<prop::sample::Index>(), "\\PC{0,2}"))).prop_map(|(text, damage)| match damage {
        None => text,
        Some((place, new)) => {
            let (before, after) = text.split_at(text.floor_char_boundary(place.index(text.len())));
            format!("{before}{new}{}", after.chars().skip(1).collect::<String>())
        }
    })
}

fn name() -> impl Strategy<Value = String> {
    let image = "[0-9]{1,3}(rc[0-9])?([.][0-9]{1,2})?(-[a-z]{1,8})?(@sha256:[0-9a-f]{64})?";
    let mixed = r"[aA0._/:@= -]{0,12}";
    prop_oneof![any::<String>(), image, mixed, "[a-z.]{1,4}=.{0,8}", "[a-z]{230,260}", "[0-9a-f]{63,65}"]
}

#[test]
fn an_input_on_which_fuzzing_once_failed_is_handled() {
    super::config("\" \n\u{b}");
}

proptest! {
    #[test]
    fn the_files_of_a_script_do_not_depend_on_how_it_is_split(text in prop_oneof![psql_script(), any::<String>()]) {
        super::psql_script(text.as_bytes());
    }

    #[test]
    fn a_csv_header_does_not_depend_on_how_it_is_split(bytes in prop_oneof![header(), any::<Vec<u8>>()]) {
        super::csv_header(&bytes);
    }

    #[test]
    fn untrusted_labels_are_read_or_refused(text in label()) {
        super::labels(&text);
    }

    #[test]
    fn metadata_is_read_or_refused_and_survives_being_written(text in prop_oneof![seeds(), label()]) {
        super::metadata(&text);
    }

    #[test]
    fn a_valid_name_displays_as_text_that_parses_to_the_same_name(text in name()) {
        super::names(&text);
    }
}
