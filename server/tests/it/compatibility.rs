//! `docs/compatibility.md` against the tests that it names.

use std::fs;
use std::path::{Path, PathBuf};

/// Of the cells that are about something the SDK has, at most this share says "not yet".
const NOT_YET_PERCENT: usize = 20;

#[test]
fn every_test_that_the_table_names_exists_and_few_are_still_to_come() {
    let page = read("docs/compatibility.md");
    let (mut cells, mut not_yet) = (0, 0);
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |") && !line.contains("---")) {
        let row: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let mut left = "";
        for cell in &row[1..] {
            match *cell {
                "—" => continue,
                "same" => assert_names_a_test(left, &row),
                cell if cell.starts_with("not yet: ") && cell.len() > "not yet: ".len() => not_yet += 1,
                cell => assert_names_a_test(cell, &row),
            }
            cells += 1;
            left = cell;
        }
    }
    assert!(cells > 100, "the tables were not read: only {cells} cells");
    assert!(not_yet * 100 <= cells * NOT_YET_PERCENT, "{not_yet} of {cells} cells say not yet");
}

/// A cell is `file: name` of a test for a browser, Python or Node.js, or the name of a test for Go.
fn assert_names_a_test(cell: &str, row: &[&str]) {
    let (file, declaration) = match cell.split_once(": ") {
        None => ("tests/go/class_test.go".to_owned(), format!("func {cell}(")),
        Some(("node", name)) => ("tests/node/class.test.mjs".to_owned(), format!("it(\"{name}\"")),
        Some((file, name)) if file.starts_with("test_") => (format!("tests/python/{file}.py"), format!("def {name}(")),
        Some((file, name)) => (format!("tests/browser/{file}.test.mjs"), format!("it(\"{name}\"")),
    };
    assert!(root().join(&file).is_file(), "{row:?}: there is no {file}");
    assert!(read(&file).contains(&declaration), "{row:?}: {file} has no {declaration}");
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("a readable file")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
