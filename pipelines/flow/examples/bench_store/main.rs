//! What the store makes of samples: bytes a sample and values a second of the journal and the lake.
//!
//! ```text
//! bench_store make plant|can SECONDS DIR     samples of a seeded generator, as a lake folder
//! bench_store journal DIR                    batches → journal; prints one line of JSON
//! bench_store lake DIR default|compact       batches → Parquet; likewise
//! bench_store store DEVICES SECONDS ROLL DIR generator → journal → lake, a seal every ROLL seconds
//! bench_store lake-of DEVICES DAYS DIR       a gateway's folder with a file a day and device
//! bench_store journal-of DEVICES SECONDS COMMIT DIR   likewise with a journal, nothing sealed
//! ```
//! DIR has the layout of a lake, so that any other program reads the same samples.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod fill;
mod journal;
mod lake;
mod make;
mod meter;
mod samples;
mod store;

use std::env;
use std::path::Path;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["make", kind, seconds, folder] => {
            let seconds = seconds.parse().expect("SECONDS is a whole number");
            make::write(kind, seconds, Path::new(folder));
        }
        ["journal", folder] => println!("{}", journal::measure(Path::new(folder))),
        ["lake", folder, profile] => println!("{}", lake::measure(Path::new(folder), profile)),
        ["store", devices, seconds, roll, folder] => {
            let whole = |text: &str| text.parse::<u32>().expect("a whole number");
            let (devices, folder) = (u64::from(whole(devices)), Path::new(folder));
            println!("{}", store::measure(devices, whole(seconds), whole(roll), folder));
        }
        ["lake-of", devices, days, folder] => {
            let whole = |text: &str| text.parse::<u32>().expect("a whole number");
            println!("{}", fill::lake(u64::from(whole(devices)), whole(days), Path::new(folder)));
        }
        ["journal-of", devices, seconds, commit, folder] => {
            let whole = |text: &str| text.parse::<u32>().expect("a whole number");
            let (devices, span) = (u64::from(whole(devices)), (whole(seconds), whole(commit)));
            println!("{}", fill::journal(devices, span, Path::new(folder)));
        }
        _ => panic!("usage: bench_store make|journal|lake|store …, see the header of main.rs"),
    }
}
