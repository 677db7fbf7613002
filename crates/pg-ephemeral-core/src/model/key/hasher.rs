//! Computes keys from a sequence of named, typed and length-prefixed fields. The encoding is unambiguous: two different
//! sequences never result in the same bytes.

use super::SeedHash;

/// The version of the format of keys, which is part of each key. It is raised whenever the fields, their order or the
/// meaning of a layer's content change. Layers of an earlier version are not used any more.
pub const FORMAT: u32 = 3;

/// Hashes fields. Each field is one byte for its type, then its name and its value, each preceded by its length.
#[derive(Debug, Clone)]
pub(crate) struct KeyHasher(blake3::Hasher);

/// The types of fields, with the byte that is hashed for each.
#[derive(Clone, Copy)]
#[repr(u8)]
enum FieldType {
    Bytes = b'b',
    Text = b't',
    Hash = b'h',
    List = b'l',
    Absent = b'n',
}

impl KeyHasher {
    /// Creates a hasher for one purpose. Keys of different purposes are never equal.
    pub(crate) fn new(purpose: &str) -> Self {
        let mut hasher = Self(blake3::Hasher::new());
        hasher.field(FieldType::Bytes, "format", &FORMAT.to_le_bytes());
        hasher.text("purpose", purpose);
        hasher
    }

    /// Adds bytes that need not be UTF-8.
    pub(crate) fn bytes(&mut self, name: &str, value: &[u8]) {
        self.field(FieldType::Bytes, name, value);
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.field(FieldType::Text, name, value.as_bytes());
    }

    /// Adds a text that may be absent. An absent text and an empty one result in different keys.
    pub(crate) fn optional_text(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.field(FieldType::Absent, name, &[]),
        }
    }

    /// Adds another hash.
    pub(crate) fn hash(&mut self, name: &str, value: &blake3::Hash) {
        self.field(FieldType::Hash, name, value.as_bytes());
    }

    /// Adds a list of texts.
    pub(crate) fn texts<'t>(&mut self, name: &str, values: impl ExactSizeIterator<Item = &'t str>) {
        self.start(FieldType::List, name);
        self.length(values.len());
        for value in values {
            self.length(value.len());
            self.0.update(value.as_bytes());
        }
    }

    /// Returns the hash of all fields.
    pub(crate) fn finish(&self) -> blake3::Hash {
        self.0.finalize()
    }

    /// Returns the hash of all fields as the key of a layer.
    pub(crate) fn finish_layer(&self) -> SeedHash {
        SeedHash::new(self.finish())
    }

    fn field(&mut self, field_type: FieldType, name: &str, value: &[u8]) {
        self.start(field_type, name);
        self.length(value.len());
        self.0.update(value);
    }

    fn start(&mut self, field_type: FieldType, name: &str) {
        self.0.update(&[field_type as u8]);
        self.length(name.len());
        self.0.update(name.as_bytes());
    }

    fn length(&mut self, length: usize) {
        self.0.update(&(length as u64).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A field of a key, in the form that the tests generate.
    #[derive(Debug, Clone, PartialEq)]
    enum Field {
        Text(String, String),
        Optional(String, Option<String>),
        Hash(String, u8),
        Texts(String, Vec<String>),
    }

    impl Field {
        /// Returns a normal form: two fields must be hashed alike exactly if their normal forms are equal.
        fn meaning(&self) -> Self {
            match self {
                Self::Optional(name, Some(text)) => Self::Text(name.clone(), text.clone()),
                other => other.clone(),
            }
        }

        fn add_to(&self, hasher: &mut KeyHasher) {
            match self {
                Self::Text(name, value) => hasher.text(name, value),
                Self::Optional(name, value) => hasher.optional_text(name, value.as_deref()),
                Self::Hash(name, byte) => hasher.hash(name, &blake3::Hash::from_bytes([*byte; 32])),
                Self::Texts(name, values) => hasher.texts(name, values.iter().map(String::as_str)),
            }
        }
    }

    fn key(fields: &[Field]) -> SeedHash {
        let mut hasher = KeyHasher::new("test");
        for field in fields {
            field.add_to(&mut hasher);
        }
        hasher.finish_layer()
    }

    /// Generates short texts of few characters, so that the same bytes often occur with different field boundaries.
    fn text() -> impl Strategy<Value = String> {
        "[ab]{0,2}"
    }

    fn fields() -> impl Strategy<Value = Vec<Field>> {
        let field = prop_oneof![
            (text(), text()).prop_map(|(name, value)| Field::Text(name, value)),
            (text(), proptest::option::of(text())).prop_map(|(name, value)| Field::Optional(name, value)),
            (text(), b'a'..=b'b').prop_map(|(name, byte)| Field::Hash(name, byte)),
            (text(), vec(text(), 0..3)).prop_map(|(name, values)| Field::Texts(name, values)),
        ];
        vec(field, 0..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn two_sequences_of_fields_have_the_same_key_only_if_they_are_equal(left in fields(), right in fields()) {
            let same = left.iter().map(Field::meaning).eq(right.iter().map(Field::meaning));
            prop_assert_eq!(key(&left) == key(&right), same);
        }
    }

    #[test]
    fn the_same_fields_have_different_keys_for_different_purposes() {
        assert_ne!(KeyHasher::new("a").finish(), KeyHasher::new("b").finish());
    }
}
