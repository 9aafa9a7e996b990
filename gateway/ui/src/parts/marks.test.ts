import { describe, expect, it } from "vitest";
import { storageState } from "./marks";

const journal = { head: 1, bytes: 1, sync_interval_ms: 1000, segments: 1, refused: 0, error: null };
const lake = {
  files: 1,
  rows: 1,
  bytes: 1,
  unsealed_rows: 0,
  error: null,
  evicted_files: 0,
  evicted_bytes: 0,
  thinned_files: 0,
  thinned_bytes: 0,
  missed_records: 0,
};

describe("the state of the storage", () => {
  it("is normal while everything is saved and kept", () => {
    expect(storageState({ journal, lake })).toBe("normal");
  });

  it("is a failure while nothing can be saved, whatever else was lost before", () => {
    const full = { ...journal, error: "No space left on device" };
    expect(storageState({ journal: full, lake: { ...lake, evicted_files: 3 } })).toBe("failure");
  });

  it("is a failure while the files cannot be listed", () => {
    const unreadable = { ...lake, error: "lake: Input/output error; check the disk" };
    expect(storageState({ journal, lake: unreadable })).toBe("failure");
  });

  it("is out of specification once samples were lost, and maintenance once old files had to go", () => {
    expect(storageState({ journal, lake: { ...lake, missed_records: 1 } })).toBe(
      "out_of_specification",
    );
    expect(storageState({ journal, lake: { ...lake, evicted_files: 1 } })).toBe("maintenance");
    expect(storageState({ journal, lake: { ...lake, thinned_files: 1 } })).toBe("maintenance");
  });
});
