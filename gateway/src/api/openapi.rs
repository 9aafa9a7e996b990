//! The API as `OpenAPI` 3.1: the table of routes with what each takes and gives. Held against the
//! routes and against `docs/openapi.json` by tests.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::gate::Needs;

/// What a value is.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// A whole number, not below that.
    Whole(i64),
    /// Microseconds since 1970, UTC.
    Micros,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A value of a tag.
    Setting,
    /// A password or another secret.
    Secret,
}

use Kind::{Choice, Micros, Secret, Setting, Text, Whole};

/// A parameter or a field.
struct Field(&'static str, Kind, bool, &'static str);

const MUST: bool = true;
const MAY: bool = false;

/// What a route takes and gives.
struct Operation {
    method: &'static str,
    path: &'static str,
    about: &'static str,
    /// Fields of the query, or of a JSON body where the method has one.
    takes: &'static [Field],
    /// Status and content type of the answer when all is well.
    gives: (u16, &'static str),
}

const JSON: &str = "application/json";
const ROLES: Kind = Choice(&["viewer", "operator", "engineer", "admin"]);
const QUESTION: [Field; 2] = [
    Field("sql", Text, MUST, "one SELECT"),
    Field("format", Choice(&["table", "csv", "jsonl", "arrow"]), MAY, "default: table"),
];
const ORDER: [Field; 2] = [
    Field("comment", Text, MAY, "why; `shelve` and `out_of_service` want one"),
    Field("minutes", Whole(1), MAY, "of `shelve` alone, at most 1440"),
];
const LIMIT: [Field; 1] = [Field("limit", Whole(0), MAY, "how many, newest first")];

const fn reads(path: &'static str, about: &'static str) -> Operation {
    Operation { method: "GET", path, about, takes: &[], gives: (200, JSON) }
}

const fn does(method: &'static str, path: &'static str, about: &'static str) -> Operation {
    Operation { method, path, about, takes: &[], gives: (204, "") }
}

impl Operation {
    const fn takes(self, takes: &'static [Field]) -> Self {
        Self { takes, ..self }
    }

    const fn gives(self, status: u16, kind: &'static str) -> Self {
        Self { gives: (status, kind), ..self }
    }
}

/// Every route of the API.
const OPERATIONS: [Operation; 37] = [
    reads("/healthz", "Whether the gateway lives").gives(200, "text/plain"),
    reads("/ca.crt", "Certificate of this device's own authority, PEM")
        .gives(200, "application/x-x509-ca-cert"),
    reads("/readyz", "Whether samples arrive and become durable; 503 when not"),
    reads("/metrics", "Figures for Prometheus").gives(200, "text/plain"),
    reads("/api/v1/openapi.json", "This document"),
    reads("/api/v1/session", "Who asks, and what they need to come in"),
    does("POST", "/api/v1/session", "Log in; the answer sets a cookie")
        .takes(&[Field("name", Text, MUST, "of a user"), Field("password", Secret, MUST, "theirs")])
        .gives(200, JSON),
    does("DELETE", "/api/v1/session", "Log out"),
    does("PUT", "/api/v1/session/password", "Another password for who asks").takes(&[
        Field("old", Secret, MUST, "the present one"),
        Field("new", Secret, MUST, "12 characters or more"),
    ]),
    does("POST", "/api/v1/claim", "Make the first admin of a new gateway")
        .takes(&[
            Field("code", Secret, MUST, "the claim code"),
            Field("name", Text, MUST, "of the admin"),
            Field("password", Secret, MUST, "12 characters or more"),
        ])
        .gives(200, JSON),
    reads("/api/v1/status", "How the gateway, its devices, uplinks and detectors are"),
    reads("/api/v1/signals", "Every signal: id, path, unit, source"),
    reads("/api/v1/reasons", "Names of the reasons for a quality"),
    reads("/api/v1/trend", "Minimum, maximum and mean of a signal per bucket").takes(&[
        Field("id", Whole(0), MUST, "of the signal"),
        Field("from", Micros, MUST, "beginning"),
        Field("to", Micros, MUST, "end"),
        Field("px", Whole(1), MAY, "buckets wanted, at most 4000"),
    ]),
    reads("/api/v1/events", "Newest events").takes(&LIMIT),
    reads("/api/v1/anomalies", "Newest episodes of detectors").takes(&LIMIT),
    reads("/api/v1/alarms", "Every alarm and where it stands"),
    does(
        "POST",
        "/api/v1/alarms/{alarm}/{verb}",
        "Handle an alarm: acknowledge, reset, shelve, unshelve, out_of_service, in_service",
    )
    .takes(&ORDER)
    .gives(200, JSON),
    reads("/api/v1/lake", "Files, room, forecast, budget and upload of the lake"),
    reads("/api/v1/files", "Parquet files of a table")
        .takes(&[Field("table", Text, MUST, "its name")]),
    reads("/api/v1/files/{table}/{date}/{name}", "A Parquet file, or ranges of it")
        .gives(200, "application/vnd.apache.parquet"),
    reads("/api/v1/sql", "An answer in SQL over lake and journal").takes(&QUESTION),
    does("POST", "/api/v1/sql", "An answer in SQL over lake and journal")
        .takes(&QUESTION)
        .gives(200, JSON),
    reads("/api/v1/lines", "Modbus lines and what they count"),
    reads("/api/v1/lines/{name}/frames", "The last frames of a line").gives(200, "text/plain"),
    reads("/api/v1/live", "Live values over a WebSocket").gives(101, ""),
    does("POST", "/api/v1/writes", "Write one value to one tag of the allow-list")
        .takes(&[
            Field("tag", Text, MUST, "its path"),
            Field("value", Setting, MUST, "in engineering units"),
            Field("expected_old", Setting, MAY, "refuse unless the tag has it"),
            Field("confirm_token", Text, MAY, "of the first step, where two are wanted"),
            Field("not_after", Text, MAY, "RFC 3339, UTC"),
        ])
        .gives(200, JSON),
    reads("/api/v1/users", "Users and their roles"),
    does("POST", "/api/v1/users", "Make a user")
        .takes(&[
            Field("name", Text, MUST, "64 letters, digits, - _ . @"),
            Field("role", ROLES, MUST, "what they may"),
            Field("password", Secret, MUST, "12 characters or more"),
        ])
        .gives(201, ""),
    does("PATCH", "/api/v1/users/{name}", "Another role or password; a password ends sessions")
        .takes(&[
            Field("role", ROLES, MAY, "what they may"),
            Field("password", Secret, MAY, "12 characters or more"),
        ]),
    does("DELETE", "/api/v1/users/{name}", "Take a user away; sessions end"),
    reads("/api/v1/tokens", "Tokens and their roles"),
    does("POST", "/api/v1/tokens", "Make a token; the answer alone holds it")
        .takes(&[
            Field("name", Text, MUST, "64 letters, digits, - _ . @"),
            Field("role", ROLES, MUST, "what it is good for"),
            Field("days", Whole(1), MAY, "after which it ends, at most 3660"),
        ])
        .gives(201, JSON),
    does("DELETE", "/api/v1/tokens/{name}", "Make a token worthless"),
    reads("/api/v1/sessions", "Open sessions"),
    does("DELETE", "/api/v1/sessions/{id}", "End a session"),
    reads("/api/v1/audit", "Newest records of the audit").takes(&LIMIT),
];

fn schema(kind: Kind) -> Value {
    match kind {
        Text => json!({ "type": "string" }),
        Whole(least) => json!({ "type": "integer", "minimum": least, "maximum": u32::MAX }),
        Micros => json!({ "type": "integer", "format": "int64" }),
        Choice(words) => json!({ "type": "string", "enum": words }),
        Setting => json!({ "type": ["boolean", "number", "string"] }),
        Secret => json!({ "type": "string", "format": "password" }),
    }
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let names = operation.path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let in_path = names.map(
        |name| json!({ "name": name, "in": "path", "required": true, "schema": schema(Text) }),
    );
    let takes_query = operation.method == "GET";
    let in_query = operation.takes.iter().filter(|_| takes_query).map(|field| {
        let Field(name, kind, required, about) = field;
        let schema = schema(*kind);
        json!({ "name": name, "in": "query", "required": required, "description": about, "schema": schema })
    });
    in_path.chain(in_query).collect()
}

fn body(operation: &Operation) -> Option<Value> {
    if operation.method == "GET" || operation.takes.is_empty() {
        return None;
    }
    let mut properties = Map::new();
    for Field(name, kind, _, about) in operation.takes {
        let mut about_it = schema(*kind);
        if let Some(fields) = about_it.as_object_mut() {
            fields.insert("description".to_owned(), json!(about));
        }
        properties.insert((*name).to_owned(), about_it);
    }
    let required = operation.takes.iter().filter(|field| field.2).map(|field| field.0);
    let required: Vec<_> = required.collect();
    let schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    Some(json!({ "required": !required.is_empty(), "content": { JSON: { "schema": schema } } }))
}

fn describe(operation: &Operation, needs: Needs) -> Value {
    let (status, kind) = operation.gives;
    let mut answer = json!({ "description": "All is well" });
    if let (Some(fields), false) = (answer.as_object_mut(), kind.is_empty()) {
        fields.insert("content".to_owned(), json!({ kind: {} }));
    }
    let problem = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    let mut told = json!({
        "summary": operation.about,
        "parameters": parameters(operation),
        "responses": {
            status.to_string(): answer,
            "default": { "description": "Why not, and what to do (RFC 9457)", "content": problem },
        },
        "x-needs": needs.name(),
        "security": match needs {
            Needs::Nothing => json!([]),
            Needs::Reading | Needs::AtLeast(_) => json!([{ "token": [] }, { "session": [] }]),
        },
    });
    if let (Some(fields), Some(body)) = (told.as_object_mut(), body(operation)) {
        fields.insert("requestBody".to_owned(), body);
    }
    told
}

/// The document; `needs` are those of the routes, in their order.
pub(super) fn document(needs: &[(&'static str, &'static str, Needs)]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in &OPERATIONS {
        let is_it =
            |route: &&(&str, &str, Needs)| (route.0, route.1) == (operation.method, operation.path);
        let Some((_, _, needs)) = needs.iter().find(is_it) else { continue };
        let path = paths.entry(operation.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(operation.method.to_lowercase(), describe(operation, *needs));
        }
    }
    let text = json!({ "type": "string" });
    let problem = json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "detail", "hint"],
        "properties": {
            "type": text, "title": text, "status": { "type": "integer" },
            "code": { "type": "string", "description": "stable, for programs" },
            "detail": { "type": "string", "description": "what happened" },
            "hint": { "type": "string", "description": "what to do" },
        },
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "fieldgate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The local API of a gateway. `x-needs` is the role that a route needs; `reading` is \
                            viewer, or nothing where web.reading = \"open\".",
        },
        "paths": paths,
        "components": {
            "schemas": { "Problem": problem },
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "fieldgate_<gateway>" },
            },
        },
    })
}

/// `GET /api/v1/openapi.json`.
pub(super) async fn show() -> Response {
    let needs: Vec<_> =
        super::routes().iter().map(|route| (route.method, route.path, route.needs)).collect();
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(JSON))];
    (kind, document(&needs).to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Vec<(&'static str, &'static str, Needs)> {
        crate::api::routes().iter().map(|route| (route.method, route.path, route.needs)).collect()
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let described: Vec<_> = OPERATIONS.iter().map(|one| (one.method, one.path)).collect();
        let there: Vec<_> = routes().iter().map(|route| (route.0, route.1)).collect();
        assert_eq!(described, there);
    }

    #[test]
    fn the_document_in_the_docs_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let served = serde_json::to_string_pretty(&document(&routes())).unwrap() + "\n";
        if std::env::var_os("FIELDGATE_WRITE_DOCS").is_some() {
            std::fs::write(path, &served).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == served, "run this test with FIELDGATE_WRITE_DOCS=1 and commit {path}");
    }
}
