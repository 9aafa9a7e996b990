use super::*;

use pipelines_flow::disk::RealDisk;

#[test]
fn a_page_is_there_again_in_another_notebook_and_other_names_are_other_pages() {
    let folder = tempfile::tempdir().unwrap();
    let notebook = || DiskNotebook::new(folder.path().join("learned"), Arc::new(RealDisk));
    assert_eq!(notebook().recall("pump house"), None);
    notebook().keep("pump house", "{\"holes\":[7]}");
    notebook().keep("pump house", "{\"holes\":[7,8]}");
    notebook().keep("../pump", "{}");
    assert_eq!(notebook().recall("pump house").as_deref(), Some("{\"holes\":[7,8]}"));
    assert_eq!(notebook().recall("pump_house"), None);
    let files = std::fs::read_dir(folder.path().join("learned")).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["%2e%2e%2fpump.json", "pump%20house.json"]);
}

#[test]
fn a_page_that_is_no_text_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("line.json"), [0xFF, 0xFE]).unwrap();
    let notebook = DiskNotebook::new(folder.path().to_owned(), Arc::new(RealDisk));
    assert_eq!(notebook.recall("line"), None);
}
