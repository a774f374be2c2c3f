//! One `config.json`: `{"auths": {…}, "credHelpers": {…}, "credsStore": …}`.

use std::path::Path;
use std::sync::Arc;

use ecs_registry_auth::{CredentialSource, Origin};
use serde_json::value::RawValue;

use super::helper::HelperName;
use super::layer::{HELPER_NAME_STEP, Helper, HelperUse, Layer, Mark};
use super::server;
use crate::Finding;
use crate::engine_auth::data::{self, Place};
use crate::engine_auth::entry::{EntryError, EntryShape};
use crate::engine_auth::index::{AuthIndex, SoleKey};
use crate::json::{self, Kind, Lines};

/// Where the text of a document stands.
pub(super) enum Source<'a> {
    File(&'a Path),
    /// A variable, or whatever an embedder names.
    Whole(&'a Origin),
}

/// Reads a document. What is wrong with single entries goes to `findings`.
///
/// # Errors
///
/// Findings when the document as a whole is unusable.
pub(super) fn parse(
    text: &str,
    source: &Source<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Layer, Vec<Finding>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let places = Places { text, source };
    let whole = places.whole();
    let mut layer = Layer::empty(whole.clone());
    // Docker takes an empty file for one without settings.
    if text.trim().is_empty() {
        return Ok(layer);
    }
    let raw = json::document(text).map_err(|problem| {
        vec![
            Finding::error(whole.clone(), format!("it is {problem}"))
                .with_next_step("correct the JSON at that place"),
        ]
    })?;
    let members = json::members(raw).ok_or_else(|| {
        vec![
            Finding::error(whole, format!("it is {}, not an object", json::kind(raw)))
                .with_next_step("write {\"auths\": {…}}, as `docker login` does"),
        ]
    })?;
    // The last of several equal fields wins, as in Go; `null` is no field.
    let field = |wanted: &str| {
        members
            .iter()
            .rfind(|(name, value)| json::is_field(name, wanted) && json::kind(value) != Kind::Null)
            .map(|(_, value)| *value)
    };
    let mut errors = Vec::new();
    if let Some(raw) = field("auths") {
        places
            .auths(raw, &mut layer, findings)
            .unwrap_or_else(|error| errors.push(error));
    }
    if let Some(raw) = field("credhelpers") {
        places
            .helpers(raw, &mut layer)
            .unwrap_or_else(|error| errors.push(error));
    }
    if let Some(raw) = field("credsstore") {
        places
            .store(raw, &mut layer)
            .unwrap_or_else(|error| errors.push(error));
    }
    findings.extend(layer.helpers().filter_map(Helper::finding));
    if errors.is_empty() { Ok(layer) } else { Err(errors) }
}

struct Places<'a> {
    text: &'a str,
    source: &'a Source<'a>,
}

impl Places<'_> {
    fn whole(&self) -> Origin {
        match self.source {
            Source::File(path) => Origin::file(*path),
            Source::Whole(origin) => (*origin).clone(),
        }
    }

    fn of(&self, lines: &mut Lines<'_>, raw: &RawValue) -> Origin {
        match self.source {
            Source::File(path) => Origin::file_line(*path, lines.of(raw)),
            Source::Whole(origin) => (*origin).clone(),
        }
    }

    fn wrong_type(&self, field: &str, raw: &RawValue, wanted: &str) -> Finding {
        let place = self.of(&mut Lines::new(self.text), raw);
        Finding::error(
            place,
            format!("field {field:?} is {}, not {wanted}", json::kind(raw)),
        )
        .with_next_step("compare it with what `docker login` writes")
    }

    fn auths(&self, raw: &RawValue, layer: &mut Layer, findings: &mut Vec<Finding>) -> Result<(), Finding> {
        if json::kind(raw) != Kind::Object {
            return Err(self.wrong_type("auths", raw, "an object"));
        }
        let place = match self.source {
            Source::File(path) => Place::Within {
                text: self.text,
                path,
            },
            Source::Whole(origin) => Place::Whole((*origin).clone()),
        };
        for mut entry in data::decode_raw(raw, EntryShape::ConfigFile, &place, findings)? {
            if server::is_docker_login_token(&entry.key.written) {
                continue;
            }
            entry.key = server::key(&entry.key.written);
            match entry.credential {
                // What `docker login` leaves behind where a helper keeps the credential.
                Err(EntryError::Empty) => layer.marks.push(Mark {
                    key: entry.key,
                    origin: entry.origin,
                }),
                _ => layer.entries.push(entry),
            }
        }
        layer.auths = AuthIndex::new(
            CredentialSource::DockerConfig,
            layer.entries.clone(),
            SoleKey::KeepsToItsPath,
        );
        findings.extend(layer.auths.findings());
        Ok(())
    }

    fn helpers(&self, raw: &RawValue, layer: &mut Layer) -> Result<(), Finding> {
        let members = json::members(raw).ok_or_else(|| self.wrong_type("credHelpers", raw, "an object"))?;
        let mut lines = Lines::new(self.text);
        for (written, value) in members {
            let origin = self.of(&mut lines, value);
            let key = server::key(&written);
            layer.registry_helpers.retain(|helper| {
                helper
                    .key
                    .as_ref()
                    .is_none_or(|other| other.written != key.written)
            });
            layer.registry_helpers.push(Helper {
                key: Some(key),
                run: helper_use(value),
                origin,
            });
        }
        Ok(())
    }

    fn store(&self, raw: &RawValue, layer: &mut Layer) -> Result<(), Finding> {
        if json::kind(raw) != Kind::String {
            return Err(self.wrong_type("credsStore", raw, "a string"));
        }
        layer.store = Some(Helper {
            key: None,
            run: helper_use(raw),
            origin: self.of(&mut Lines::new(self.text), raw),
        })
        .filter(|store| store.run != HelperUse::File);
        Ok(())
    }
}

fn helper_use(raw: &RawValue) -> HelperUse {
    match json::string(raw) {
        None => HelperUse::Broken(format!("the helper's name is {}, not a string", json::kind(raw)).into()),
        Some(name) if name.is_empty() => HelperUse::File,
        Some(name) => match HelperName::parse(&name) {
            Some(name) => HelperUse::Run(name),
            None => HelperUse::Broken(Arc::from(
                "the helper's name has characters other than letters, digits, dots and dashes",
            )),
        },
    }
}

impl Helper {
    fn finding(&self) -> Option<Finding> {
        let warn =
            |problem: &str| Finding::warning(self.origin.clone(), format!("{}: {problem}", self.field()));
        if let HelperUse::Broken(problem) = &self.run {
            return Some(warn(problem).with_next_step(HELPER_NAME_STEP));
        }
        let reason = self.key.as_ref()?.never_matches()?;
        Some(
            warn(&format!("it can never match an image: {reason}"))
                .with_next_step("write the host as it stands in the image, with its port if it has one"),
        )
    }
}
