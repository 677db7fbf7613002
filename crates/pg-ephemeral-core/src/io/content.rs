//! Content that is read piece by piece, in constant memory. Its source is a text, a file, or an open file that may have
//! no name; files may be compressed. This module must not know what the content is for.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// The size of a piece, in bytes. It is large because the receiver may start a program for each piece.
const PIECE: usize = 4 << 20;

/// The first bytes of a file compressed by gzip (RFC 1952, section 2.3.1).
const GZIP: &[u8] = &[0x1f, 0x8b];
/// The first bytes of a Zstandard frame (RFC 8878, section 3.1.1).
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Bytes that can be read from the start any number of times.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    source: Source,
    compression: Compression,
    filter: Option<Filter>,
}

/// Wraps the reader of a content and changes what is read.
#[derive(Clone)]
struct Filter(Arc<FilterReader>);

type FilterReader = dyn Fn(Box<dyn Read + Send>) -> Box<dyn Read + Send> + Send + Sync;

impl fmt::Debug for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Filter")
    }
}

#[derive(Debug, Clone)]
enum Source {
    Text(Arc<str>),
    File(PathBuf),
    Unnamed(Arc<File>),
}

/// How the bytes of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all: the bytes of the file are the content.
    None,
    /// By gzip, as any number of members.
    Gzip,
    /// By zstd, as any number of frames.
    Zstd,
}

/// Identifies the state of a file without reading its content. A change of the file always changes its stamp, because
/// no program can set the change time (`ctime`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A piece of a content.
#[derive(Debug)]
pub(crate) struct Piece {
    /// The decompressed bytes; never empty.
    pub(crate) bytes: Vec<u8>,
    /// How many bytes of the source have been read, including those of this piece.
    pub(crate) read: u64,
}

/// The pieces of a content, in order. After an error there are no more pieces.
pub(crate) type Pieces = mpsc::Receiver<io::Result<Piece>>;

impl Content {
    pub(crate) fn text(text: &str) -> Self {
        Self { source: Source::Text(text.into()), compression: Compression::None, filter: None }
    }

    /// Returns the content of a file, decompressed if the file is compressed.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        let compression = Compression::of(&mut ociman::files::open(path)?)?;
        Ok(Self { source: Source::File(path.to_owned()), compression, filter: None })
    }

    /// Returns the content of an open file, decompressed if the file is compressed. The file may have no name any more.
    pub(crate) fn unnamed(file: File) -> io::Result<Self> {
        let file = Arc::new(file);
        let compression = Compression::of(&mut Unnamed { file: file.clone(), position: 0 })?;
        Ok(Self { source: Source::Unnamed(file), compression, filter: None })
    }

    /// Returns the bytes of a file without decompressing them.
    pub(crate) fn file_as_it_is(path: &Path) -> io::Result<Self> {
        ociman::files::open(path)?;
        Ok(Self::of_plain_file(path.to_owned()))
    }

    /// Returns the bytes of a file without decompressing them and without checking that the file exists.
    pub(crate) fn of_plain_file(path: PathBuf) -> Self {
        Self { source: Source::File(path), compression: Compression::None, filter: None }
    }

    /// Returns the bytes of an open file without decompressing them.
    pub(crate) fn unnamed_as_it_is(file: File) -> Self {
        Self { source: Source::Unnamed(Arc::new(file)), compression: Compression::None, filter: None }
    }

    /// Returns the same content with a filter that [`Content::pieces`] reads it through.
    pub(crate) fn filtered(
        self,
        filter: impl Fn(Box<dyn Read + Send>) -> Box<dyn Read + Send> + Send + Sync + 'static,
    ) -> Self {
        Self { filter: Some(Filter(Arc::new(filter))), ..self }
    }

    /// Returns the path of the file if a program can read the content from it, that is, if the content is neither
    /// compressed nor filtered.
    pub(crate) fn plain_path(&self) -> Option<&Path> {
        match (&self.source, self.compression, &self.filter) {
            (Source::File(path), Compression::None, None) => Some(path),
            _ => None,
        }
    }

    /// Returns the text, or `None` if the content is a file.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.source {
            Source::Text(text) => Some(text),
            Source::File(_) | Source::Unnamed(_) => None,
        }
    }

    /// Returns the path of the file; `None` for a text or a file without a name.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::File(path) => Some(path),
            Source::Text(_) | Source::Unnamed(_) => None,
        }
    }

    /// Returns the current state of the file; `None` for a text or a file without a name, which other programs can't
    /// change.
    pub(crate) fn stamp(&self) -> io::Result<Option<Stamp>> {
        match &self.source {
            Source::File(path) => Ok(Some(Stamp::of(path)?)),
            Source::Text(_) | Source::Unnamed(_) => Ok(None),
        }
    }

    /// Returns the size of the source in bytes. It differs from the size of the content if the source is compressed.
    pub(crate) fn size(&self) -> u64 {
        match &self.source {
            Source::Text(text) => text.len() as u64,
            Source::File(path) => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Source::Unnamed(file) => file.metadata().map_or(0, |metadata| metadata.len()),
        }
    }

    /// Reads the whole content, passes the decompressed bytes to `take`, and returns the hash of the source. Blocks.
    pub(crate) fn examine(&self, mut take: impl FnMut(&[u8])) -> io::Result<blake3::Hash> {
        let mut source = Hashing { reader: self.open_source()?, hasher: blake3::Hasher::new() };
        if self.compression == Compression::None {
            read_all(&mut source, &mut take)?;
        } else {
            read_all(decoder(self.compression, &mut source), &mut take)?;
            // The hash also covers bytes after the end of the compressed data.
            io::copy(&mut source, &mut io::sink())?;
        }
        Ok(source.hasher.finalize())
    }

    /// Returns the first `count` decompressed bytes, or all if there are fewer. Blocks.
    pub(crate) fn start(&self, count: u64) -> io::Result<Vec<u8>> {
        let mut start = Vec::new();
        decoder(self.compression, self.open_source()?).take(count).read_to_end(&mut start)?;
        Ok(start)
    }

    /// Reads the decompressed content on a new thread, no faster than the receiver takes the pieces.
    pub(crate) fn pieces(&self) -> Pieces {
        let (sender, receiver) = mpsc::channel(1);
        let content = self.clone();
        let refused = sender.clone();
        let started = ociman::blocking::start(move || {
            if let Err(error) = content.send_pieces(&sender) {
                // If the receiver was dropped, nothing needs the error.
                let _ = sender.blocking_send(Err(error));
            }
        });
        if let Err(error) = started {
            // The channel is empty, so it has room for the error.
            let _ = refused.try_send(Err(error));
        }
        receiver
    }

    fn send_pieces(&self, sender: &mpsc::Sender<io::Result<Piece>>) -> io::Result<()> {
        let read = Arc::new(AtomicU64::new(0));
        let source = Counting { reader: self.open_source()?, read: read.clone() };
        let mut decoded = decoder(self.compression, source);
        if let Some(filter) = &self.filter {
            decoded = filter.0(decoded);
        }
        loop {
            let mut bytes = Vec::new();
            (&mut decoded).take(PIECE as u64).read_to_end(&mut bytes)?;
            let piece = Piece { bytes, read: read.load(Ordering::Relaxed) };
            if piece.bytes.is_empty() || sender.blocking_send(Ok(piece)).is_err() {
                return Ok(());
            }
        }
    }

    fn open_source(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match &self.source {
            Source::Text(text) => Box::new(io::Cursor::new(text.as_bytes().to_vec())),
            Source::File(path) => Box::new(ociman::files::open(path)?),
            Source::Unnamed(file) => Box::new(Unnamed { file: file.clone(), position: 0 }),
        })
    }
}

impl Compression {
    fn of(reader: &mut impl Read) -> io::Result<Self> {
        let mut start = Vec::new();
        reader.take(ZSTD.len() as u64).read_to_end(&mut start)?;
        Ok(match start.as_slice() {
            start if start.starts_with(GZIP) => Self::Gzip,
            start if start.starts_with(ZSTD) => Self::Zstd,
            _ => Self::None,
        })
    }
}

impl Stamp {
    /// Returns the stamp of a file.
    ///
    /// # Errors
    /// Returns an error if there is no such file or its metadata can't be read.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Returns the size of the file in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Returns when the file was last changed, in seconds since the epoch.
    pub(crate) fn changed_in_seconds(&self) -> i64 {
        self.changed.0
    }
}

fn decoder<'r, R: Read + Send + 'r>(compression: Compression, source: R) -> Box<dyn Read + Send + 'r> {
    match compression {
        Compression::None => Box::new(source),
        Compression::Gzip => Box::new(Decoded { decoder: MultiGzDecoder::new(source), format: "gzip" }),
        Compression::Zstd => {
            let frames = ZstdFrames { state: Frames::Between(BufReader::new(source)) };
            Box::new(Decoded { decoder: frames, format: "zstd" })
        }
    }
}

fn read_all(mut reader: impl Read, take: &mut impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => take(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Replaces the errors of decoders, which are meant for programmers, with a message that says that the data is damaged.
struct Decoded<R> {
    decoder: R,
    format: &'static str,
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer).map_err(|error| match error.raw_os_error() {
            Some(_) => error,
            None if error.kind() == io::ErrorKind::Interrupted => error,
            None => io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the {} data is damaged, or its end is missing", self.format),
            ),
        })
    }
}

/// Decompresses consecutive Zstandard frames. The library's decoder stops at the end of each frame.
struct ZstdFrames<R: Read> {
    state: Frames<R>,
}

enum Frames<R: Read> {
    Between(BufReader<R>),
    Inside(Box<StreamingDecoder<BufReader<R>, ruzstd::decoding::FrameDecoder>>),
    Ended,
}

impl<R: Read> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::io::BufRead;
        loop {
            self.state = match std::mem::replace(&mut self.state, Frames::Ended) {
                Frames::Ended => return Ok(0),
                Frames::Between(mut source) => match source.fill_buf()?.is_empty() {
                    true => Frames::Ended,
                    false => Frames::Inside(Box::new(StreamingDecoder::new(source).map_err(invalid)?)),
                },
                Frames::Inside(mut frame) => match frame.read(buffer)? {
                    0 => Frames::Between(frame.into_inner()),
                    length => {
                        self.state = Frames::Inside(frame);
                        return Ok(length);
                    }
                },
            };
        }
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Reads an open file by position, so that several readers can share it.
struct Unnamed {
    file: Arc<File>,
    position: u64,
}

impl Read for Unnamed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.position)?;
        self.position += length as u64;
        Ok(length)
    }
}

struct Hashing<R> {
    reader: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        Ok(length)
    }
}

struct Counting<R> {
    reader: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn examined(content: &Content) -> (Vec<u8>, blake3::Hash) {
        let mut bytes = Vec::new();
        let hash = content.examine(|piece| bytes.extend_from_slice(piece)).unwrap();
        (bytes, hash)
    }

    async fn received(content: &Content) -> (Vec<u8>, u64) {
        let (mut bytes, mut read) = (Vec::new(), 0);
        let mut pieces = content.pieces();
        while let Some(piece) = pieces.recv().await {
            let piece = piece.unwrap();
            assert!(!piece.bytes.is_empty() && piece.bytes.len() <= PIECE);
            bytes.extend_from_slice(&piece.bytes);
            read = piece.read;
        }
        (bytes, read)
    }

    #[tokio::test]
    async fn a_compressed_file_is_decompressed_whatever_its_name_and_hashed_without_decompression() {
        let mut text = b"create table t (a int);\n".repeat(10_000);
        text.extend_from_slice(b"-- the end");
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [("plain", text.clone()), ("gzip", gzip(&text)), ("zstd", zstd(&text))] {
            let path = folder.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            for content in [Content::file(&path).unwrap(), Content::unnamed(File::open(&path).unwrap()).unwrap()] {
                assert_eq!(examined(&content), (text.clone(), blake3::hash(&bytes)), "{name}");
                assert_eq!(received(&content).await, (text.clone(), bytes.len() as u64), "{name}");
                assert_eq!(content.start(6).unwrap(), b"create", "{name}");
                assert_eq!(content.size(), bytes.len() as u64, "{name}");
            }
        }
    }

    #[tokio::test]
    async fn consecutive_members_or_frames_are_one_content() {
        let folder = tempfile::tempdir().unwrap();
        for compress in [gzip as fn(&[u8]) -> Vec<u8>, zstd] {
            let path = folder.path().join("two");
            std::fs::write(&path, [compress(b"one "), compress(b""), compress(b"two")].concat()).unwrap();
            let content = Content::file(&path).unwrap();
            assert_eq!(received(&content).await.0, b"one two");
        }
    }

    #[tokio::test]
    async fn a_truncated_compressed_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        for compress in [gzip as fn(&[u8]) -> Vec<u8>, zstd] {
            let path = folder.path().join("cut");
            let whole = compress(&text);
            std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
            let content = Content::file(&path).unwrap();
            let error = content.examine(|_| {}).unwrap_err();
            assert!(error.to_string().ends_with(" data is damaged, or its end is missing"), "{error}");
            let mut pieces = content.pieces();
            let mut last = None;
            while let Some(piece) = pieces.recv().await {
                last = Some(piece);
            }
            assert!(last.unwrap().is_err());
        }
    }

    #[tokio::test]
    async fn a_large_content_comes_in_pieces() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(2 * PIECE as u64 + 17).unwrap();
        let content = Content::unnamed(file).unwrap();
        assert_eq!(received(&content).await.0.len(), 2 * PIECE + 17);
    }

    #[test]
    fn a_path_that_is_not_a_regular_file_is_refused_without_blocking() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/null")] {
            assert!(Content::file(path).is_err() && Content::file_as_it_is(path).is_err(), "{}", path.display());
        }
    }

    #[test]
    fn the_stamp_of_a_file_changes_with_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "one").unwrap();
        let before = Stamp::of(&path).unwrap();
        assert_eq!(Stamp::of(&path).unwrap(), before);
        std::fs::write(&path, "other").unwrap();
        assert_ne!(Stamp::of(&path).unwrap(), before);
    }
}
