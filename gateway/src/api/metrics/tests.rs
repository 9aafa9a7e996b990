use signals::adapter::{Labels, Metric};

use super::*;

static TIMEOUTS: Metric = Metric {
    name: "modbus_unit_timeouts_total",
    kind: MetricKind::Counter,
    help: "Requests without an answer in time.",
};
static USED: Metric = Metric {
    name: "modbus_line_utilisation_ratio",
    kind: MetricKind::Gauge,
    help: "Share of its time the line is busy.",
};

#[test]
fn readings_of_one_metric_stand_together_with_their_line_and_labels() {
    let line = |name: &str, timeouts: f64, used: f64| {
        let line = Instruments::new(name, "modbus-tcp");
        let labels: Labels = Arc::new([("device", "pump \"3\"".to_owned()), ("unit", "3".into())]);
        line.show(vec![
            Reading { metric: &TIMEOUTS, labels, value: timeouts },
            Reading { metric: &USED, labels: Arc::new([]), value: used },
        ]);
        Arc::new(line)
    };
    let mut out = String::new();
    lines(&[line("a", 7.0, 0.25), line("b", 3_000_000_000.0, 1.0)], &mut out);
    assert_eq!(
        out,
        "# HELP fieldgate_modbus_line_utilisation_ratio Share of its time the line is busy.\n\
         # TYPE fieldgate_modbus_line_utilisation_ratio gauge\n\
         fieldgate_modbus_line_utilisation_ratio{line=\"a\"} 0.25\n\
         fieldgate_modbus_line_utilisation_ratio{line=\"b\"} 1\n\
         # HELP fieldgate_modbus_unit_timeouts_total Requests without an answer in time.\n\
         # TYPE fieldgate_modbus_unit_timeouts_total counter\n\
         fieldgate_modbus_unit_timeouts_total{line=\"a\",device=\"pump \\\"3\\\"\",unit=\"3\"} 7\n\
         fieldgate_modbus_unit_timeouts_total{line=\"b\",device=\"pump \\\"3\\\"\",unit=\"3\"} \
         3000000000\n"
    );
}
