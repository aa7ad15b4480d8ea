//! Packs the built web app into the binary: every file of `web/app/dist`, plain and compressed, as one table for
//! `src/http/assets.rs`. Without a built app the table is empty, and the page says how to build it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Files below this size or of these kinds do not get smaller.
const MIN_BYTES: usize = 256;
const COMPRESSED_ALREADY: [&str; 8] = ["woff2", "png", "jpg", "jpeg", "webp", "avif", "mp4", "bcmap"];

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let app = manifest.join("../web/app");
    let dist = app.join("dist");

    // Cargo looks at what is named here; a folder that is not there yet would make every build a new one.
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", if dist.exists() { &dist } else { &app }.display());

    let mut files = Vec::new();
    if dist.exists() {
        list(&dist, &mut files)?;
    }
    files.sort();

    let packed = out.join("assets");
    fs::create_dir_all(&packed)?;
    let mut table = String::from("&[\n");
    for (index, file) in files.iter().enumerate() {
        let name = file.strip_prefix(&dist).map_err(io::Error::other)?.to_string_lossy().replace('\\', "/");
        let bytes = fs::read(file)?;
        let [plain, brotli, gzip] = ["", ".br", ".gz"].map(|ending| packed.join(format!("{index}{ending}")));
        fs::write(&plain, &bytes)?;
        let (brotli, gzip) = if worth_compressing(file, &bytes) {
            fs::write(&brotli, with_brotli(&bytes)?)?;
            fs::write(&gzip, with_gzip(&bytes)?)?;
            (format!("Some(include_bytes!({brotli:?}))"), format!("Some(include_bytes!({gzip:?}))"))
        } else {
            ("None".to_owned(), "None".to_owned())
        };
        table.push_str(&format!(
            "    Asset {{ path: {name:?}, plain: include_bytes!({plain:?}), brotli: {brotli}, gzip: {gzip} }},\n"
        ));
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { list(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn worth_compressing(file: &Path, bytes: &[u8]) -> bool {
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    bytes.len() >= MIN_BYTES && !COMPRESSED_ALREADY.contains(&ending)
}

fn with_brotli(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 11, 22);
    encoder.write_all(bytes)?;
    encoder.flush()?;
    drop(encoder);
    Ok(out)
}

fn with_gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}
