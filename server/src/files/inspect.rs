//! What a file is, from its bytes: a PDF with so many pages, or a picture of bounded size; or a sentence that says why it is
//! neither. Everything in here reads bytes of strangers, and is run in a process of its own (`sandbox.rs`).

use lyceum_session::class::MOST_PAGES;

/// Largest width and height of a picture.
const MOST_SIDE: u32 = 16_384;
/// Most pixels of a picture: a browser needs four bytes for each.
const MOST_PIXELS: u64 = 64_000_000;
/// What one compressed stream that must be read to find the pages of a PDF may become, in bytes.
const MOST_INFLATED: usize = 64 << 20;

/// A kind of file that can be shown as slides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Pages.
    Pdf,
    /// A picture.
    Png,
    /// A picture.
    Jpeg,
    /// A picture.
    WebP,
}

const KINDS: [(Kind, &str, &str); 4] = [
    (Kind::Pdf, "application/pdf", "pdf"),
    (Kind::Png, "image/png", "png"),
    (Kind::Jpeg, "image/jpeg", "jpg"),
    (Kind::WebP, "image/webp", "webp"),
];

impl Kind {
    /// The kind of a MIME type, if slides can be of it.
    pub fn of(mime_type: &str) -> Option<Self> {
        KINDS.iter().find(|(_, known, _)| known.eq_ignore_ascii_case(mime_type)).map(|(kind, _, _)| *kind)
    }

    /// Its MIME type.
    pub fn mime_type(self) -> &'static str {
        self.row().1
    }

    /// How names of such files end, without the dot.
    pub fn extension(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> &'static (Kind, &'static str, &'static str) {
        KINDS.iter().find(|(kind, _, _)| *kind == self).unwrap_or(&KINDS[0])
    }

    /// What it is called in a sentence.
    fn name(self) -> &'static str {
        match self {
            Kind::Pdf => "PDF",
            Kind::Png => "PNG picture",
            Kind::Jpeg => "JPEG picture",
            Kind::WebP => "WebP picture",
        }
    }

    /// What bytes begin as.
    fn begins(bytes: &[u8]) -> Option<Self> {
        let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
        match bytes {
            _ if bytes.starts_with(b"%PDF-") => Some(Kind::Pdf),
            _ if bytes.starts_with(PNG_BEGINS) => Some(Kind::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Kind::Jpeg),
            _ if is_webp => Some(Kind::WebP),
            _ => None,
        }
    }
}

/// Why a file cannot be shown, for who brought it.
pub type Unfit = String;

/// How many pages a file of this kind has; a picture is one.
pub fn pages(kind: Kind, bytes: &[u8]) -> Result<u32, Unfit> {
    match Kind::begins(bytes) {
        Some(begins) if begins == kind => {}
        Some(other) => return Err(format!("the file is a {}, and was announced as a {}", other.name(), kind.name())),
        None => return Err(format!("the file was announced as a {}, and does not begin like one", kind.name())),
    }
    let size = match kind {
        Kind::Pdf => return pages_of_pdf(bytes),
        Kind::Png => size_of_png(bytes),
        Kind::Jpeg => size_of_jpeg(bytes),
        Kind::WebP => size_of_webp(bytes),
    };
    match size {
        Ok((width, height)) if width == 0 || height == 0 => Err("the picture has no size".to_owned()),
        Ok((width, height))
            if width > MOST_SIDE || height > MOST_SIDE || u64::from(width) * u64::from(height) > MOST_PIXELS =>
        {
            Err(format!(
                "the picture is {width} × {height} pixels; at most {MOST_SIDE} a side and 64 million in all can be shown: make it smaller"
            ))
        }
        Ok(_) => Ok(1),
        Err(Flaw::Short) => Err(format!("the {} is cut off: a part of the file is missing", kind.name())),
        Err(Flaw::Broken) => Err(format!("the {} is damaged", kind.name())),
        Err(Flaw::Behind) => {
            Err(format!("something else is hidden behind the end of the {}: save the picture anew", kind.name()))
        }
    }
}

/// What is wrong with a picture.
#[derive(Debug)]
enum Flaw {
    /// It ends too early.
    Short,
    /// It is not made as it should be.
    Broken,
    /// It goes on after its end.
    Behind,
}

type Size = Result<(u32, u32), Flaw>;

// ---- PDF -----------------------------------------------------------------------------------------------------------

fn pages_of_pdf(bytes: &[u8]) -> Result<u32, Unfit> {
    let is_blank = |byte: &u8| matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ');
    let end = bytes.iter().rposition(|byte| !is_blank(byte)).map_or(0, |last| last + 1);
    if !bytes[..end].ends_with(b"%%EOF") {
        return Err("the PDF is cut off, or something else follows its end: export it again".to_owned());
    }
    let options = lopdf::LoadOptions::with_max_decompressed_size(MOST_INFLATED);
    let document = lopdf::Document::load_mem_with_options(bytes, options).map_err(|error| match error {
        lopdf::Error::Decryption(_) | lopdf::Error::InvalidPassword => LOCKED.to_owned(),
        _ => "the PDF cannot be read: export it again".to_owned(),
    })?;
    if document.is_encrypted() || document.was_encrypted() {
        return Err(LOCKED.to_owned());
    }
    let most = usize::try_from(MOST_PAGES).unwrap_or(usize::MAX);
    match document.page_iter().take(most + 1).count() {
        0 => Err("the PDF has no pages".to_owned()),
        pages if pages > most => Err(format!("the PDF has more than {MOST_PAGES} pages: split it")),
        pages => Ok(u32::try_from(pages).unwrap_or(MOST_PAGES)),
    }
}

const LOCKED: &str = "the PDF is protected by a password: save it without one";

// ---- pictures: their parts are walked to the end, nothing is unpacked -------------------------------------------------

const PNG_BEGINS: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The checksum of the last chunk, which has no data.
const PNG_ENDS: &[u8] = &[0xae, 0x42, 0x60, 0x82];

/// Chunks of a length, a name, data and a checksum, the first with the size, the last without data (PNG, section 5).
fn size_of_png(bytes: &[u8]) -> Size {
    let mut rest = Bytes(bytes);
    rest.take(PNG_BEGINS.len())?;
    let (mut size, mut has_data) = (None, false);
    loop {
        let length = rest.u32_be()?;
        let name = rest.take(4)?;
        let data = rest.take_u32(length)?;
        let checksum = rest.take(4)?;
        match (name, size) {
            (b"IHDR", None) => {
                let mut data = Bytes(data);
                size = Some((data.u32_be()?, data.u32_be()?));
            }
            (b"IHDR", Some(_)) | (_, None) => return Err(Flaw::Broken),
            (b"IDAT", Some(_)) => has_data = true,
            (b"IEND", Some(size)) if has_data && length == 0 && checksum == PNG_ENDS => {
                return if rest.is_empty() { Ok(size) } else { Err(Flaw::Behind) };
            }
            (b"IEND", Some(_)) => return Err(Flaw::Broken),
            _ => {}
        }
    }
}

/// Segments behind markers, one of which has the size, and scans between them, to the marker of the end (ITU-T T.81, annex B).
/// Cameras put further pictures behind the first, and zeros.
fn size_of_jpeg(bytes: &[u8]) -> Size {
    let mut rest = Bytes(bytes);
    let size = one_jpeg(&mut rest)?;
    while !rest.0.iter().all(|byte| *byte == 0) {
        if !rest.0.starts_with(&[0xff, 0xd8]) {
            return Err(Flaw::Behind);
        }
        one_jpeg(&mut rest)?;
    }
    Ok(size)
}

fn one_jpeg(rest: &mut Bytes<'_>) -> Size {
    rest.take(2)?;
    let (mut size, mut has_data) = (None, false);
    loop {
        if rest.u8()? != 0xff {
            return Err(Flaw::Broken);
        }
        let mut marker = rest.u8()?;
        while marker == 0xff {
            marker = rest.u8()?;
        }
        match marker {
            // The end.
            0xd9 => return size.filter(|_| has_data).ok_or(Flaw::Broken),
            // Without a length.
            0x01 | 0xd0..=0xd7 => {}
            0x00 | 0xd8 => return Err(Flaw::Broken),
            _ => {
                let length = rest.u16_be()?.checked_sub(2).ok_or(Flaw::Broken)?;
                let mut data = Bytes(rest.take(usize::from(length))?);
                match marker {
                    // A frame: precision, height, width.
                    0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                        data.take(1)?;
                        let height = u32::from(data.u16_be()?);
                        size = Some((u32::from(data.u16_be()?), height));
                    }
                    // A scan: its data goes on to the next marker that is no restart.
                    0xda => {
                        has_data = true;
                        let is_end = |two: &[u8]| matches!(two, [0xff, marker] if !matches!(marker, 0 | 0xd0..=0xd7));
                        let end = rest.0.windows(2).position(is_end).ok_or(Flaw::Short)?;
                        rest.take(end)?;
                    }
                    _ => {}
                }
            }
        }
    }
}

/// A RIFF file of chunks; the first says the size (RFC 9649).
fn size_of_webp(bytes: &[u8]) -> Size {
    let mut head = Bytes(bytes);
    head.take(4)?;
    let length = head.u32_le()?;
    let mut rest = Bytes(head.take_u32(length)?);
    if !head.is_empty() {
        return Err(Flaw::Behind);
    }
    rest.take(4)?;
    let (mut size, mut has_data) = (None, false);
    while !rest.is_empty() {
        let name = rest.take(4)?;
        let length = rest.u32_le()?;
        let mut data = Bytes(rest.take_u32(length)?);
        if length % 2 == 1 {
            rest.take(1)?;
        }
        let here = match name {
            b"VP8X" => {
                data.take(4)?;
                Some((data.u24_le()? + 1, data.u24_le()? + 1))
            }
            // RFC 6386, section 9.1: a frame's tag and start code, then fourteen bits each.
            b"VP8 " => {
                data.take(3)?;
                if data.take(3)? != [0x9d, 0x01, 0x2a] {
                    return Err(Flaw::Broken);
                }
                Some((u32::from(data.u16_le()? & 0x3fff), u32::from(data.u16_le()? & 0x3fff)))
            }
            b"VP8L" => {
                if data.u8()? != 0x2f {
                    return Err(Flaw::Broken);
                }
                let bits = data.u32_le()?;
                Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
            }
            _ => None,
        };
        has_data |= matches!(name, b"VP8 " | b"VP8L" | b"ANMF");
        size = size.or(here);
        if size.is_none() {
            return Err(Flaw::Broken);
        }
    }
    size.filter(|_| has_data).ok_or(Flaw::Broken)
}

/// Bytes that are read from their front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Flaw> {
        let (front, rest) = self.0.split_at_checked(count).ok_or(Flaw::Short)?;
        self.0 = rest;
        Ok(front)
    }

    fn take_u32(&mut self, count: u32) -> Result<&'a [u8], Flaw> {
        self.take(usize::try_from(count).map_err(|_| Flaw::Short)?)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let (front, rest) = self.0.split_first_chunk::<N>().ok_or(Flaw::Short)?;
        self.0 = rest;
        Ok(*front)
    }

    fn u8(&mut self) -> Result<u8, Flaw> {
        self.array().map(|[byte]| byte)
    }

    fn u16_be(&mut self) -> Result<u16, Flaw> {
        self.array().map(u16::from_be_bytes)
    }

    fn u16_le(&mut self) -> Result<u16, Flaw> {
        self.array().map(u16::from_le_bytes)
    }

    fn u24_le(&mut self) -> Result<u32, Flaw> {
        self.array().map(|[low, middle, high]| u32::from_le_bytes([low, middle, high, 0]))
    }

    fn u32_be(&mut self) -> Result<u32, Flaw> {
        self.array().map(u32::from_be_bytes)
    }

    fn u32_le(&mut self) -> Result<u32, Flaw> {
        self.array().map(u32::from_le_bytes)
    }
}
