//! The Markdown files of the repository: which there are, and what stands in one. It knows nothing of what tests do with them.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use pulldown_cmark::{BrokenLink, CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

/// The folder of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// All Markdown files below a folder, as paths from there, without hidden folders and what tools have made.
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

/// A block of code between fences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The first word after the fence.
    pub language: String,
    /// What stands between the fences.
    pub text: String,
    /// The comment right before it, without its marks.
    pub note: Option<String>,
    /// The line of the fence.
    pub line: usize,
}

/// A block of code, or a comment of HTML that is the note of none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Block(Block),
    Comment(String),
}

/// Where a link or an image leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// As it is written.
    pub target: String,
    /// The line of the link.
    pub line: usize,
}

/// What stands in a Markdown file.
#[derive(Debug, Default)]
pub struct Document {
    /// In their order.
    pub parts: Vec<Part>,
    pub links: Vec<Link>,
    /// The names of its headings in links.
    pub anchors: Vec<String>,
    /// Links that lead nowhere by the look of them: to a definition that is not there, or written as HTML.
    pub faults: Vec<Link>,
}

impl Document {
    /// Reads a file of the repository.
    #[track_caller]
    pub fn read(path: impl AsRef<Path>) -> Self {
        let path = repository().join(path);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&text)
    }

    /// Reads Markdown.
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

    /// The blocks of code, in their order.
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
        // A comment belongs to the block that stands on the next line.
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

    /// The name of a heading in links, as the sites that show Markdown make it.
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
