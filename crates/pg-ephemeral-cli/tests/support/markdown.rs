//! Finds and parses the Markdown files of the repository. It knows nothing of the tests that use them.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use pulldown_cmark::{BrokenLink, CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

/// Returns the folder of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Returns all Markdown files below a folder, as paths relative to it. Hidden folders and folders of build tools are
/// skipped.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                let is_made =
                    name.starts_with('.') || ["target", "node_modules", "dist", "mutants.out"].contains(&&*name);
                if !is_made {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                files.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

/// A code block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The first word after the fence.
    pub language: String,
    /// The text between the fences.
    pub text: String,
    /// The text of the HTML comment right before the block.
    pub note: Option<String>,
    /// The line number of the first fence.
    pub line: usize,
}

/// A code block, or an HTML comment that is not the note of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Block(Block),
    Comment(String),
}

/// A link or an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The target as written in the file.
    pub target: String,
    /// The line number of the link.
    pub line: usize,
}

/// The parsed contents of a Markdown file.
#[derive(Debug, Default)]
pub struct Document {
    /// The code blocks and comments, in the order of the file.
    pub parts: Vec<Part>,
    pub links: Vec<Link>,
    /// The anchors of the headings, as used in links.
    pub anchors: Vec<String>,
    /// Invalid links: those whose definition is missing, and those written in HTML.
    pub faults: Vec<Link>,
}

impl Document {
    /// Parses a file of the repository.
    #[track_caller]
    pub fn read(path: impl AsRef<Path>) -> Self {
        let path = repository().join(path);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&text)
    }

    /// Parses Markdown.
    pub fn parse(text: &str) -> Self {
        let line = |range: &Range<usize>| text[..range.start].matches('\n').count() + 1;
        let mut undefined = Vec::new();
        let callback = |link: BrokenLink<'_>| {
            if matches!(link.link_type, LinkType::Reference | LinkType::Collapsed) {
                undefined.push(Link { target: link.reference.to_string(), line: line(&link.span) });
            }
            None::<(CowStr<'_>, CowStr<'_>)>
        };
        let mut reader = Reader::default();
        let parser = Parser::new_with_broken_link_callback(text, Options::ENABLE_TABLES, Some(callback));
        for (event, range) in parser.into_offset_iter() {
            reader.take(event, line(&range));
        }
        reader.document.faults.extend(undefined);
        reader.document.faults.sort_by_key(|link| link.line);
        reader.document
    }

    /// Returns the code blocks in the order of the file.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.parts.iter().filter_map(|part| match part {
            Part::Block(block) => Some(block),
            Part::Comment(_) => None,
        })
    }
}

#[derive(Default)]
struct Reader {
    document: Document,
    block: Option<Block>,
    html: Option<(String, usize)>,
    heading: Option<String>,
    known: HashMap<String, usize>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, line: usize) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => self.start_block(&kind, line),
            Event::End(TagEnd::CodeBlock) => self.document.parts.extend(self.block.take().map(Part::Block)),
            Event::Start(Tag::HtmlBlock) => self.html = Some((String::new(), line)),
            Event::Html(text) => {
                if let Some((html, _)) = &mut self.html {
                    html.push_str(&text);
                }
            }
            Event::End(TagEnd::HtmlBlock) => self.end_html(),
            Event::InlineHtml(text) => self.look_for_links(&text, line),
            Event::Start(Tag::Heading { .. }) => self.heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => self.end_heading(),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                self.document.links.push(Link { target: dest_url.into_string(), line });
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(block) = &mut self.block {
                    block.text.push_str(&text);
                } else if let Some(heading) = &mut self.heading {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }

    fn start_block(&mut self, kind: &CodeBlockKind<'_>, line: usize) {
        let language = match kind {
            CodeBlockKind::Fenced(information) => information.split([' ', ',']).next().unwrap_or_default(),
            CodeBlockKind::Indented => "",
        };
        // A comment belongs to the block that follows it.
        let note = match self.document.parts.pop() {
            Some(Part::Comment(comment)) if !comment.starts_with("setup:") => Some(comment),
            other => {
                self.document.parts.extend(other);
                None
            }
        };
        self.block = Some(Block { language: language.to_owned(), text: String::new(), note, line });
    }

    fn end_html(&mut self) {
        let Some((html, line)) = self.html.take() else { return };
        let comment = html.trim().strip_prefix("<!--").and_then(|text| text.strip_suffix("-->"));
        match comment {
            Some(comment) => self.document.parts.push(Part::Comment(comment.trim().to_owned())),
            None => self.look_for_links(&html, line),
        }
    }

    fn look_for_links(&mut self, html: &str, line: usize) {
        if html.contains("href=") || html.contains("src=") {
            self.document.faults.push(Link { target: html.trim().to_owned(), line });
        }
    }

    /// Adds the anchor of a heading, formed by the rules of the sites that show Markdown.
    fn end_heading(&mut self) {
        let Some(heading) = self.heading.take() else { return };
        let letters = heading.trim().to_lowercase();
        let letters = letters.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        let name: String = letters.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
        let count = self.known.entry(name.clone()).or_default();
        self.document.anchors.push(if *count == 0 { name } else { format!("{name}-{count}") });
        *count += 1;
    }
}
