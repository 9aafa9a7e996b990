//! The gateway: wiring, supervision, configuration, command line, HTTP API and the page.
//!
//! | module | does |
//! |---|---|
//! | [`cli`] | the commands |
//! | [`config`] | raw → checked → built, every mistake at once |
//! | [`gateway`] | builds the rooms, starts and stops them in the order of flow |
//! | [`sources`], [`reload`] | lines and buses, and how they change while the gateway runs |
//! | [`supervise`] | a thread for each, started again when it fails |
//! | [`demo`], [`broker`] | the embedded default: simulated plant, broker, outages |
//! | [`reception`] | the journal's intake as adapters get it |
//! | [`columns`] | a column of the lake has one type for ever |
//! | [`registration`] | what a start leaves in the records |
//! | [`detection`] | detectors over the journal |
//! | [`rules`] | rules over the journal, and where alarms stand |
//! | [`catalog`], [`live`], [`view`], [`lake_size`] | what the page can see |
//! | [`api`] | HTTP and JSON |
//! | [`listen`] | accepting connections: TLS, and how many |
//! | [`readiness`], [`notify`] | whether it does its job; what the service manager is told |
//! | [`queries`], [`answer`] | SQL of the page, answers as bytes |
//! | [`access`] | who may do what: users, tokens, sessions, the claim of a new gateway |
//! | [`writes`], [`audit`] | commands to devices, and what was done by whom |
//! | [`notebook`] | what adapters keep over restarts |
//! | [`clock`], [`secret`] | the operating system's clock; where passwords are read |

pub mod access;
pub mod answer;
pub mod api;
pub mod audit;
pub mod broker;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod columns;
pub mod config;
pub mod demo;
pub mod detection;
pub mod gateway;
pub mod lake_size;
pub mod listen;
pub mod live;
pub mod notebook;
pub mod notify;
pub mod queries;
pub mod readiness;
pub mod reception;
pub mod registration;
pub mod reload;
pub mod revisions;
pub mod rules;
pub mod secret;
pub mod sources;
pub mod supervise;
pub mod view;
pub mod writes;
