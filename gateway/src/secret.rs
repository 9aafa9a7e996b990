//! Secrets: read where they are kept, at the moment they are needed, never shown.

use std::path::Path;

use anyhow::Context as _;
use pipelines_flow::uplink::{Credentials, MqttSettings, TlsSettings};
use pipelines_upload::{Place, S3};

use crate::config::{SecretRef, UplinkSettings, UplinkTls, UploadPlace, UploadSettings};

/// An uplink's settings with its password filled in; `base` is where relative paths start.
///
/// # Errors
/// When the password cannot be read; the message names the place, never the content.
pub fn mqtt_settings(
    gateway: &str,
    settings: &UplinkSettings,
    base: &Path,
) -> anyhow::Result<MqttSettings> {
    let mut mqtt = MqttSettings::new(&settings.name, gateway, &settings.host, settings.port);
    mqtt.client_id.clone_from(&settings.client_id);
    mqtt.prefix.clone_from(&settings.prefix);
    mqtt.keep_alive = settings.keep_alive;
    mqtt.allowance = settings.allowance.clone();
    mqtt.order = settings.order;
    if let Some(bytes) = settings.message_bytes_max {
        mqtt.message_bytes_max = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    if let Some(user) = &settings.username {
        let password = match &settings.password {
            Some(place) => {
                read(place).with_context(|| format!("uplink {}: its password", settings.name))?
            }
            None => String::new(),
        };
        mqtt.credentials = Some(Credentials { user: user.clone(), password });
    }
    mqtt.tls = settings.tls.as_ref().map(|tls| tls_settings(tls, base));
    Ok(mqtt)
}

/// The upload's settings with its keys filled in.
///
/// # Errors
/// When a key cannot be read; the message names the place, never the content.
pub fn upload_settings(
    gateway: &str,
    settings: &UploadSettings,
) -> anyhow::Result<pipelines_upload::UploadSettings> {
    let place = match &settings.place {
        UploadPlace::Folder(folder) => Place::Folder(folder.clone()),
        UploadPlace::S3 { bucket, prefix, endpoint, region, keys } => {
            let key = |place| read(place).context("upload: its keys");
            let keys =
                keys.as_ref().map(|(access, secret)| anyhow::Ok((key(access)?, key(secret)?)));
            Place::S3(S3 {
                bucket: bucket.clone(),
                prefix: prefix.clone(),
                endpoint: endpoint.clone(),
                region: region.clone(),
                keys: keys.transpose()?,
            })
        }
    };
    let (bytes_per_s, hours) = (settings.bytes_per_s, settings.hours);
    Ok(pipelines_upload::UploadSettings { gateway: gateway.to_owned(), place, bytes_per_s, hours })
}

fn tls_settings(tls: &UplinkTls, base: &Path) -> TlsSettings {
    let default = TlsSettings::default();
    TlsSettings {
        ca: tls.ca.as_ref().map_or(default.ca, |ca| base.join(ca)),
        client: tls.client.as_ref().map(|(chain, key)| (base.join(chain), base.join(key))),
        server_name: tls.server_name.clone(),
        crl: tls.crl.as_ref().map(|crl| base.join(crl)),
        look_every: default.look_every,
    }
}

fn read(place: &SecretRef) -> anyhow::Result<String> {
    let from_file = |path: &Path| {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("{}: cannot be read; check that it is there and readable", path.display())
        })?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    };
    match place {
        SecretRef::File(path) => from_file(path),
        SecretRef::Env(name) => std::env::var(name)
            .with_context(|| format!("environment variable {name}: is not set; set it")),
        SecretRef::Credential(name) => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY").with_context(|| {
                format!("credential {name}: the unit has none; add `LoadCredential={name}:…` to it")
            })?;
            from_file(&Path::new(&folder).join(name))
        }
    }
}
