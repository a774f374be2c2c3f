//! `ECS_ENGINE_AUTH_*`: type, data, and data that is encrypted.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ecs_registry_auth::Origin;
use zeroize::Zeroizing;

use crate::engine_auth::data::{self, Place};
use crate::engine_auth::entry::EntryShape;
use crate::engine_auth::index::Entry;
use crate::layers::{Layers, Sources, Written};
use crate::{
    AuthType, Config, Decryptor, EncryptedAuthData, EngineAuth, Finding, Setting, Strictness, names,
};

/// Fills in the type and the credentials of `config`.
pub(crate) async fn read(
    sources: &Sources,
    layers: &Layers<'_>,
    strictness: Strictness,
    decryptor: Option<&dyn Decryptor>,
    config: &mut Config,
    findings: &mut Vec<Finding>,
) {
    let mut own = Vec::new();
    match entries(layers, decryptor, config, &mut own).await {
        Ok(entries) => {
            config.engine_auth = EngineAuth::from_entries(entries, strictness);
            own.extend(config.engine_auth.index().findings());
        }
        Err(finding) => own.push(finding),
    }
    readable_secrets(sources, layers, &mut own);
    findings.append(&mut own);
}

async fn entries(
    layers: &Layers<'_>,
    decryptor: Option<&dyn Decryptor>,
    config: &mut Config,
    notes: &mut Vec<Finding>,
) -> Result<Vec<Entry>, Finding> {
    let auth_type = auth_type(layers);
    let plain = layers.get(&[names::AUTH_DATA], Some("engineauthdata"));
    let encrypted = layers.text(&[names::AUTH_DATA_KMS], None);
    config.engine_auth_type = auth_type.clone().ok().flatten();
    // The type is reported first and everything else that is wrong after it.
    let (auth_type, plain, encrypted) = match (auth_type, plain, encrypted) {
        (Ok(auth_type), Ok(plain), Ok(encrypted)) => (auth_type, plain, encrypted),
        (auth_type, plain, encrypted) => {
            let mut all = [auth_type.err(), plain.err(), encrypted.err()]
                .into_iter()
                .flatten();
            let first = all.next();
            notes.extend(all);
            return first.map_or_else(|| Ok(Vec::new()), Err);
        }
    };
    if let (Some(plain), Some(encrypted)) = (&plain, &encrypted) {
        return Err(Finding::error(
            encrypted.origin.clone(),
            format!(
                "{} is set, and so is {} ({})",
                names::AUTH_DATA_KMS,
                names::AUTH_DATA,
                plain.origin
            ),
        )
        .with_next_step(format!("remove {}", names::AUTH_DATA)));
    }
    let Some(auth_type) = auth_type else {
        if let Some(origin) = plain
            .map(|data| data.origin)
            .or(encrypted.map(|data| data.origin))
        {
            notes.push(
                Finding::warning(
                    origin,
                    format!(
                        "the auth data is not used because {} is not set",
                        names::AUTH_TYPE
                    ),
                )
                .with_next_step(format!("set {} to docker or dockercfg", names::AUTH_TYPE)),
            );
        }
        return Ok(Vec::new());
    };
    match (plain, encrypted) {
        (Some(plain), _) => decode(layers, auth_type.value, &plain, notes),
        (None, Some(encrypted)) => {
            let text = decrypt(layers, decryptor, config, &encrypted).await?;
            data::decode(&text, auth_type.value, &Place::Whole(encrypted.origin), notes)
        }
        (None, None) => {
            notes.push(
                Finding::warning(
                    auth_type.origin,
                    format!(
                        "{} is set and {} is not: there are no credentials",
                        names::AUTH_TYPE,
                        names::AUTH_DATA
                    ),
                )
                .with_next_step(format!(
                    "set {}, or remove {}",
                    names::AUTH_DATA,
                    names::AUTH_TYPE
                )),
            );
            Ok(Vec::new())
        }
    }
}

fn auth_type(layers: &Layers<'_>) -> Result<Option<Setting<AuthType>>, Finding> {
    let Some(found) = layers.text(&[names::AUTH_TYPE], Some("engineauthtype"))? else {
        return Ok(None);
    };
    if let Ok(auth_type) = found.value.parse() {
        return Ok(Some(Setting::new(auth_type, found.origin)));
    }
    let unquoted = found.value.trim_matches(['"', '\'']);
    let next_step = match unquoted.to_ascii_lowercase().parse::<AuthType>() {
        Ok(meant) if unquoted.len() < found.value.len() => {
            format!("write {}={meant}: quotes are not stripped", names::AUTH_TYPE)
        }
        Ok(meant) => format!("write {}={meant}", names::AUTH_TYPE),
        Err(_) => format!("set {} to docker or dockercfg", names::AUTH_TYPE),
    };
    Err(Finding::error(
        found.origin,
        format!("{} is unknown: {}", names::AUTH_TYPE, crate::AuthTypeError),
    )
    .with_next_step(next_step))
}

fn decode(
    layers: &Layers<'_>,
    auth_type: AuthType,
    found: &Setting<Written<'_>>,
    notes: &mut Vec<Finding>,
) -> Result<Vec<Entry>, Finding> {
    let whole = || Place::Whole(found.origin.clone());
    match (&found.value, layers.json_text()) {
        (Written::Json(raw), json_text) => {
            let place = json_text.map_or_else(whole, |(text, path)| Place::Within { text, path });
            data::decode_raw(raw, EntryShape::EngineAuth(auth_type), &place, notes)
        }
        (Written::Text(text), _) => data::decode(text, auth_type, &whole(), notes),
    }
}

async fn decrypt(
    layers: &Layers<'_>,
    decryptor: Option<&dyn Decryptor>,
    config: &Config,
    encrypted: &Setting<String>,
) -> Result<Zeroizing<String>, Finding> {
    let place = || encrypted.origin.clone();
    let ciphertext = BASE64_STANDARD.decode(encrypted.value.as_bytes()).map_err(|_| {
        Finding::error(place(), format!("{} is not base64", names::AUTH_DATA_KMS)).with_next_step(
            "set it to the base64 of the ciphertext; `ecs-pull config import --kms-key` writes it",
        )
    })?;
    let decryptor = decryptor.ok_or_else(|| {
        Finding::error(
            place(),
            format!(
                "{} is set, and this program cannot decrypt it",
                names::AUTH_DATA_KMS
            ),
        )
        .with_next_step("give the loader a decryptor")
    })?;
    let key = layers.text(&[names::AUTH_KMS_KEY], None)?.map(|key| key.value);
    let region = key
        .as_deref()
        .and_then(region_of)
        .or(config.region.as_ref().map(|region| region.value.as_str()));
    let data = EncryptedAuthData {
        ciphertext: &ciphertext,
        key: key.as_deref(),
        region,
        external: config.external.value,
        profile: config
            .alternate_credential_profile
            .as_ref()
            .map(|profile| profile.value.as_str()),
    };
    let plain = decryptor.decrypt(data).await.map_err(|diagnosis| {
        let mut message = format!("{} cannot be decrypted: {diagnosis}", names::AUTH_DATA_KMS);
        if let Some(cause) = diagnosis.cause() {
            message = format!("{message}: {cause}");
        }
        let mut finding = Finding::error(place(), message);
        finding.next_step = diagnosis.next_step().map(str::to_owned);
        finding.retriable = diagnosis.is_retriable();
        finding.class = diagnosis.class();
        finding
    })?;
    std::str::from_utf8(plain.expose())
        .map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| {
            Finding::error(
                place(),
                format!("{} does not decrypt to UTF-8", names::AUTH_DATA_KMS),
            )
            .with_next_step("write it again with `ecs-pull config import --kms-key`")
        })
}

/// The region in an ARN, `arn:partition:service:region:account:resource`.
fn region_of(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    (parts.next()? == "arn").then_some(())?;
    parts.nth(2).filter(|region| !region.is_empty())
}

/// A file with credentials that everybody can read.
fn readable_secrets(sources: &Sources, layers: &Layers<'_>, notes: &mut Vec<Finding>) {
    let in_env_file = layers
        .env_file()
        .is_some_and(|file| matches!(file.get(names::AUTH_DATA), Some((Ok(value), _)) if !value.is_empty()));
    let in_json_file = layers.json_has_auth_data();
    for (file, holds_secrets) in [
        (&sources.env_file, in_env_file),
        (&sources.json_file, in_json_file),
    ] {
        if let Some(file) = file
            .as_ref()
            .filter(|file| holds_secrets && file.readable_by_others)
        {
            notes.push(
                Finding::warning(
                    Origin::file(file.path.as_path()),
                    "it holds credentials and every user of this machine can read it",
                )
                .with_next_step(format!("run chmod 600 {}", file.path.display())),
            );
        }
    }
}
