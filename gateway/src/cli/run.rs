//! `fieldgate run`: the gateway itself.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use pipelines_flow::disk::RealDisk;
use signals::{Clock, Timestamp};

use crate::api;
use crate::clock::SystemClock;
use crate::config::{self, Config, LoadError, WebTls};
use crate::demo::{self, Demo};
use crate::gateway::{Gateway, Parts};
use crate::listen::{Certificates, Door, Peer};
use crate::notebook::DiskNotebook;
use crate::notify::Service;
use crate::reload::Reload;
use crate::revisions::Occasion;
use crate::sources::Builder;
use crate::view::View;
use crate::writes::Writes;

/// Folder of a real gateway's data when none is given.
const DATA_DEFAULT: &str = "/var/lib/fieldgate";

/// Options of `fieldgate run`.
///
/// Examples:
///   fieldgate run --demo
///   fieldgate run --demo --data /tmp/plant --listen 127.0.0.1:9000
///   fieldgate run --config gateway.toml --data /var/lib/fieldgate
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct RunArgs {
    /// Simulated plant, recorded truck and embedded broker; needs nothing else.
    #[arg(long, conflicts_with = "config", required_unless_present = "config")]
    demo: bool,
    /// Configuration: a file, or a folder with gateway.toml and conf.d/*.toml.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Folder for journal, lake and models [default: /var/lib/fieldgate; a temporary one with
    /// --demo].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address of the page, over the configuration's.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

/// Runs until told to stop.
///
/// # Errors
/// What could not be started, and what to do about it.
pub fn run(args: &RunArgs) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    models::assert_single_threaded();
    if args.demo {
        let (demo, config) = Demo::start(&clock)?;
        let temporary = if args.data.is_none() { Some(demo::temporary_folder()?) } else { None };
        let data = match (&args.data, &temporary) {
            (Some(data), _) => data.clone(),
            (None, Some(folder)) => folder.path().to_owned(),
            (None, None) => PathBuf::from(DATA_DEFAULT),
        };
        let is_new = demo::is_new(&data);
        let gateway = build(&config, &data, (&clock, args.listen), true)?;
        if is_new {
            demo.write_history(&gateway.0, &config.lines)?;
        }
        for uplink in &gateway.0.view().uplinks {
            Demo::run_outages(Arc::clone(&uplink.link), demo.stop_signal())?;
        }
        let served = serve(gateway.0, gateway.1, &data, None);
        demo.stop();
        served
    } else {
        let path = args.config.as_deref().context("give --config PATH or --demo")?;
        let (config, texts) = config::load_with_text(path).map_err(ConfigError)?;
        let data = args.data.clone().unwrap_or_else(|| PathBuf::from(DATA_DEFAULT));
        if let Some(listen) = config.local_broker {
            crate::broker::start(listen)?;
        }
        let (gateway, listen) = build(&config, &data, (&clock, args.listen), false)?;
        let reload = gateway.reload(path.to_owned(), config);
        let _number = reload.keep(&texts, Occasion::Start);
        serve(gateway, listen, &data, Some(reload))
    }
}

/// A configuration that cannot be used; exit code 78.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) LoadError);

fn build(
    config: &Config,
    data: &Path,
    (clock, listen): (&Arc<dyn Clock>, Option<SocketAddr>),
    demo: bool,
) -> anyhow::Result<(Gateway, SocketAddr)> {
    let listen = listen.unwrap_or(config.web.listen);
    let certificates = certificates(config, data, (listen, clock.now()))?;
    let writes = Writes::new(config.writes.enabled, data, clock);
    let notebook = Arc::new(DiskNotebook::new(data.join("learned"), Arc::new(RealDisk)));
    let builder = Builder { notebook };
    let (data, clock) = (data.to_owned(), Arc::clone(clock));
    let parts = Parts { data, clock, builder, demo, writes, certificates };
    Ok((Gateway::build(config, parts)?, listen))
}

/// The page's certificate; none where it has no TLS.
fn certificates(
    config: &Config,
    data: &Path,
    (listen, now): (SocketAddr, Timestamp),
) -> anyhow::Result<Option<Certificates>> {
    let of_device = || {
        std::fs::create_dir_all(data)
            .with_context(|| format!("{}: cannot be made; check the path", data.display()))?;
        Certificates::of_device(&config.gateway.id, data, now)
    };
    match &config.web.tls {
        WebTls::Off => Ok(None),
        WebTls::Auto if listen.ip().is_loopback() => Ok(None),
        WebTls::Auto | WebTls::Device => of_device().map(Some),
        WebTls::Own { certificate, private_key } => {
            let (certificate, key) = (config.base.join(certificate), config.base.join(private_key));
            Certificates::of_owner((&certificate, &key), of_device).map(Some)
        }
    }
}

/// Serves the page while the gateway runs, then stops everything.
fn serve(
    mut gateway: Gateway,
    listen: SocketAddr,
    data: &Path,
    reload: Option<Reload>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(4)
        .thread_name("api")
        .enable_all()
        .build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind(listen)).with_context(|| {
        format!(
            "{listen}: the page cannot be served there; stop the other program or give --listen"
        )
    })?;
    let address = listener.local_addr()?;
    gateway.start()?;
    if let Some(reload) = reload {
        drop(runtime.spawn(read_again(Arc::new(reload))));
    }
    let service = Service::from_env().map(Arc::new);
    if let Some(service) = &service {
        drop(runtime.spawn(Arc::clone(service).follow(gateway.view())));
    }
    let router = api::router(gateway.view());
    // Audit records say from where a command came.
    let router = router.into_make_service_with_connect_info::<Peer>();
    let view = gateway.view();
    let certificates = view.certificates.clone();
    let door = Door::new(listener, certificates.as_deref(), Arc::clone(&view.connections))?;
    if let Some(certificates) = certificates {
        if let Some(print) = certificates.fingerprint() {
            tracing::info!("TLS by this device's own authority, SHA-256 {print}");
        }
        drop(runtime.spawn(renew(certificates, Arc::clone(&view.clock))));
    }
    drop(runtime.spawn(look_outside(Arc::clone(&view))));
    let scheme = if view.certificates.is_some() { "https" } else { "http" };
    tracing::info!(page = %format!("{scheme}://{address}"), data = %data.display(), "fieldgate runs");
    tell_claim(&gateway.view(), data);
    let ends = gateway.view().writes.stop.clone();
    let told = async move {
        told_to_stop().await;
        if let Some(service) = service {
            service.stopping();
        }
        ends.raise();
    };
    let served =
        runtime.block_on(async { axum::serve(door, router).with_graceful_shutdown(told).await });
    gateway.stop();
    // Open WebSockets do not hold the end up.
    runtime.shutdown_background();
    tracing::info!("stopped");
    Ok(served?)
}

/// Says how a new gateway is claimed. The code itself is shown to a person at a terminal only: a
/// log is read by many.
fn tell_claim(view: &View, data: &Path) {
    if !matches!(view.access.users.is_claimed(), Ok(false)) {
        return;
    }
    if std::io::stderr().is_terminal()
        && let Ok(code) = view.access.claim.current()
    {
        // Nobody to tell is no reason not to run.
        let _told = writeln!(std::io::stderr(), "Claim this gateway at its page with {code}");
        return;
    }
    let data = data.display();
    tracing::info!("not claimed yet; `fieldgate claim-code --data {data}` shows the code");
}

/// Looks once in ten seconds whether the page's certificate is still right.
async fn renew(certificates: Arc<Certificates>, clock: Arc<dyn Clock>) {
    let mut tick = tokio::time::interval(Duration::from_secs(10));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let (certificates, now) = (Arc::clone(&certificates), clock.now());
        if tokio::task::spawn_blocking(move || certificates.renew(now)).await.is_err() {
            tracing::error!("looking at the page's certificate ended in a panic");
        }
    }
}

/// Looks every two seconds whether commands on the box have changed who may.
async fn look_outside(view: Arc<View>) {
    let mut tick = tokio::time::interval(Duration::from_secs(2));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = String::new();
    loop {
        tick.tick().await;
        let access = Arc::clone(&view.access);
        let looked = tokio::task::spawn_blocking(move || access.look_outside()).await;
        if let Err(err) = looked.map_err(anyhow::Error::from).and_then(|looked| looked) {
            let problem = format!("{err:#}");
            if problem != told {
                tracing::error!("changes of who may cannot be told: {problem}");
                told = problem;
            }
        }
    }
}

/// Reads the configuration again at every SIGHUP. Those that come meanwhile are one more.
async fn read_again(reload: Arc<Reload>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut told) = signal(SignalKind::hangup()) else { return };
    while told.recv().await.is_some() {
        let reload = Arc::clone(&reload);
        if tokio::task::spawn_blocking(move || reload.again()).await.is_err() {
            tracing::error!("reading the configuration again ended in a panic");
        }
    }
}

/// Resolves at SIGTERM or Ctrl-C.
pub(crate) async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
