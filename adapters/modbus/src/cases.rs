//! Test cases as JSON: the ones of the repository and those in `FIELDGATE_MODBUS_CASES`.

use std::path::PathBuf;

use serde_json::Value;

/// Every document of that format, with its file.
pub(crate) fn documents(format: &str) -> Vec<(PathBuf, Value)> {
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/modbus");
    let others = std::env::var("FIELDGATE_MODBUS_CASES").unwrap_or_default();
    let folders = others.split(':').filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let mut documents = Vec::new();
    for folder in std::iter::once(PathBuf::from(ours)).chain(folders) {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
            .unwrap_or_else(|err| panic!("{}: {err}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let document: Value = serde_json::from_str(&text).unwrap();
            if document["format"] == format {
                documents.push((file, document));
            }
        }
    }
    assert!(!documents.is_empty(), "there are cases of {format}");
    documents
}

/// A register or an address in a case.
pub(crate) fn whole(value: &Value) -> u16 {
    u16::try_from(value.as_u64().unwrap()).unwrap()
}
