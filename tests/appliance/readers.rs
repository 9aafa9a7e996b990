//! Data teams read the lake as it lies while a gateway writes it: `DuckDB`, pandas, Polars, Spark.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::harness::counter::CountingDevice;
use crate::harness::gateway::Gateway;
use crate::harness::programs::{answer, python};
use crate::harness::{text, wait_until};

const TABLE: &str = "counter_200ms";
const PYTHON: [&str; 3] = ["duckdb", "pandas", "polars"];

/// Reads of each reader; `FIELDGATE_LAKE_READS=1000` for the long run.
fn reads(usual: u32) -> u32 {
    let given = std::env::var("FIELDGATE_LAKE_READS").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(usual)
}

/// A device every 200 ms; files of 1 s. `budget` is what else `[lake]` says.
fn config(port: u16, budget: &str) -> String {
    format!(
        "[gateway]\nid = \"bench\"\nsite = \"bench\"\n\n[[line]]\nname = \"a\"\n\
         transport = \"tcp\"\nhost = \"127.0.0.1:{port}\"\n\n\
         [[device]]\nname = \"counter\"\nline = \"a\"\nunit = 1\nevery = \"200 ms\"\n\
         timeout = \"190 ms\"\n\n[[device.tag]]\nname = \"reads\"\nat = \"input:0\"\ntype = \"u32\"\n\n\
         [journal]\nsync_interval = \"1 s\"\n\n[lake]\nroll_interval = \"1 s\"\n{budget}\n\
         [[aggregate]]\nwindow = \"1 s\"\n"
    )
}

/// Has readers read a running gateway's lake so often each, while so many files come and go; what
/// they say.
fn watch(budget: &str, reads: u32, (came, went): (u32, u32), readers: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let device = CountingDevice::start();
    let config_path = folder.path().join("gateway.toml");
    fs::write(&config_path, config(device.port, budget)).unwrap();
    let data = folder.path().join("data");
    let lake = data.join("lake");
    let gateway = Gateway::of(&config_path, &data);
    wait_until("the first file is there", Duration::from_secs(30), || lake.join(TABLE).is_dir());
    let mut command = python("lake_readers.py");
    command.args([text(&lake), TABLE]);
    command.args([reads, came, went].map(|number| number.to_string())).args(readers);
    let told = answer(&mut command);
    gateway.stop();
    println!("{told:#}");
    for reader in readers {
        let told = &told["readers"][reader];
        assert_eq!(told["problems"], serde_json::json!([]), "{reader}");
        assert!(told["reads"].as_u64().unwrap() >= u64::from(reads), "{reader}");
    }
    assert!(told["files_came"].as_u64().unwrap() >= u64::from(came), "too few files came");
    assert!(told["files_went"].as_u64().unwrap() >= u64::from(went), "too few files were evicted");
    told
}

#[test]
fn three_readers_read_a_lake_while_files_come_without_an_error_or_a_row_twice() {
    let told = watch("", reads(100), (8, 0), &PYTHON);
    for reader in PYTHON {
        assert_eq!(told["readers"][reader]["gone"], 0, "{reader}: a file went away");
    }
}

#[test]
fn readers_that_list_again_when_a_file_is_gone_read_a_lake_whose_oldest_files_are_evicted() {
    watch("free_min = \"1024 TiB\"\n", reads(100), (8, 8), &PYTHON);
}

#[test]
#[ignore = "installs 320 MB: FIELDGATE_SPARK=1 tests/run"]
fn spark_reads_a_lake_while_files_come_without_an_error_or_a_row_twice() {
    let told = watch("", reads(20), (8, 0), &["spark"]);
    assert_eq!(told["readers"]["spark"]["gone"], 0, "a file went away");
}
