//! Effect: what reading a configuration again would change, without changing it.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::config::Config;
use crate::rules::RuleChanges;
use crate::sources::{Changes, Spec};

/// Signals that are named; of more, how many.
const NAMED_MAX: usize = 5;

/// What a configuration would change in a gateway that runs with another.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Effect {
    /// The gateway's own name changes: nothing is taken before a restart.
    pub identity: bool,
    /// Lines and buses.
    pub sources: Changes,
    /// Signals of Modbus that are new.
    pub signals_added: Vec<String>,
    /// Signals of Modbus that go; what they have recorded stays.
    pub signals_removed: Vec<String>,
    /// Rules.
    pub rules: RuleChanges,
    /// Sections that wait for the next start.
    pub waiting: Vec<&'static str>,
}

impl Effect {
    /// Of going from one configuration to another.
    #[must_use]
    pub fn between(old: &Config, new: &Config) -> Self {
        let paths = |config: &Config| -> BTreeSet<String> {
            let devices = config.lines.iter().flat_map(|line| &line.devices);
            let tables =
                devices.flat_map(|device| &device.scans).map(|scan| scan.table().signals());
            tables
                .flat_map(|signals| {
                    signals.iter().map(|one| one.path.to_owned()).collect::<Vec<_>>()
                })
                .collect()
        };
        let (before, after) = (paths(old), paths(new));
        let (one, other) = (&old.gateway, &new.gateway);
        Self {
            identity: (&one.id, &one.site) != (&other.id, &other.site),
            sources: Spec::compare(&Spec::of(old), &Spec::of(new)),
            signals_added: after.difference(&before).cloned().collect(),
            signals_removed: before.difference(&after).cloned().collect(),
            rules: RuleChanges::between(&old.rules, &new.rules),
            waiting: old.differs_beside_sources(new),
        }
    }
}

fn named(list: &[String]) -> String {
    let first = list.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match list.len().saturating_sub(NAMED_MAX) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// A line a change, as an engineer says it.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.identity {
            return writeln!(
                f,
                "gateway.id or gateway.site changes, and with it all names: restart the gateway"
            );
        }
        let lists = [
            ("begins to read", &self.sources.added),
            ("begins again", &self.sources.changed),
            ("reads no longer", &self.sources.removed),
            ("new signals", &self.signals_added),
            ("signals that go", &self.signals_removed),
            ("new rules", &self.rules.added),
            ("changed rules", &self.rules.changed),
            ("rules that go", &self.rules.removed),
        ];
        let told = lists.iter().filter(|(_, list)| !list.is_empty());
        for (what, list) in told.clone() {
            writeln!(f, "{what} ({}): {}", list.len(), named(list))?;
        }
        if !self.waiting.is_empty() {
            writeln!(f, "at the next start: {}", self.waiting.join(", "))?;
        }
        if told.count() == 0 && self.waiting.is_empty() {
            return writeln!(f, "changes nothing");
        }
        writeln!(f, "not touched: {} lines and buses", self.sources.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Files};

    const BASE: &str = "[gateway]\nid = \"gw\"\n[[line]]\nname = \"a\"\nhost = \"127.0.0.1:5020\"\n\
        [[line]]\nname = \"b\"\nhost = \"127.0.0.1:5021\"\n\
        [[device]]\nname = \"pump\"\nline = \"a\"\nunit = 1\n\
        [[device.tag]]\nname = \"speed\"\nat = \"input:0\"\ntype = \"u16\"\n\
        [[device]]\nname = \"fan\"\nline = \"b\"\nunit = 1\n\
        [[device.tag]]\nname = \"speed\"\nat = \"input:0\"\ntype = \"u16\"\n";

    fn effect(new: &str) -> Effect {
        let of = |text: &str| {
            let files = Files::Folder(std::path::Path::new("/nowhere"));
            config::from_text("gateway.toml", text, files).unwrap()
        };
        Effect::between(&of(BASE), &of(new))
    }

    #[test]
    fn the_same_changes_nothing() {
        assert_eq!(effect(BASE).to_string(), "changes nothing\n");
        assert_eq!(effect(&format!("# a remark\n{BASE}")).to_string(), "changes nothing\n");
    }

    #[test]
    fn a_tag_more_touches_its_line_alone_and_is_named() {
        let more = "[[device.tag]]\nname = \"current\"\nat = \"input:1\"\ntype = \"u16\"\n";
        let told = effect(&format!("{BASE}{more}"));
        assert_eq!(told.sources.changed, ["line b"]);
        assert_eq!(told.sources.kept, 1);
        assert_eq!((told.signals_added.len(), told.signals_removed.len()), (1, 0));
        assert!(told.signals_added[0].ends_with("fan/current"), "{:?}", told.signals_added);
        let text = told.to_string();
        assert!(text.contains("begins again (1): line b"), "{text}");
        assert!(text.contains("not touched: 1 lines"), "{text}");
    }

    #[test]
    fn other_sections_and_the_name_of_the_gateway_wait_for_a_start() {
        let told = effect(&format!("{BASE}[writes]\nenabled = true\n"));
        assert_eq!(told.waiting, ["writes"]);
        assert_eq!(told.sources, Changes { kept: 2, ..Changes::default() });
        let told = effect(&BASE.replace("id = \"gw\"", "id = \"other\""));
        assert!(told.identity && told.to_string().contains("restart"), "{told}");
    }
}
