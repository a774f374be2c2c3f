//! The layers of a configuration below the arguments, asked for one field at a time: process environment, then `ecs.config`, then the
//! JSON file.

use std::path::{Path, PathBuf};

use ecs_registry_auth::Origin;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::arguments::Arguments;
use crate::env_file::EnvFile;
use crate::json::{self, Kind, Lines};
use crate::{Environment, Finding, Setting};

/// The texts of all sources.
pub(crate) struct Sources {
    pub(crate) arguments: Arguments,
    pub(crate) environment: Environment,
    pub(crate) env_file: Option<FileText>,
    pub(crate) json_file: Option<FileText>,
}

/// A file that was read.
pub(crate) struct FileText {
    pub(crate) path: PathBuf,
    pub(crate) content: Zeroizing<Vec<u8>>,
    /// Whether users other than its owner's group can read it.
    pub(crate) readable_by_others: bool,
}

impl FileText {
    /// A text that was handed in.
    pub(crate) fn given(name: &Path, content: &Zeroizing<Vec<u8>>) -> Self {
        Self {
            path: name.to_owned(),
            content: content.clone(),
            readable_by_others: false,
        }
    }
}

/// A value as it was written.
pub(crate) enum Written<'a> {
    /// Text: from a variable or a line.
    Text(&'a str),
    /// A JSON value, never `null`.
    Json(&'a RawValue),
}

/// The layers above the defaults.
pub(crate) struct Layers<'a> {
    environment: &'a Environment,
    env_file: Option<EnvFile>,
    json_file: Option<JsonLayer<'a>>,
}

struct JsonLayer<'a> {
    path: &'a Path,
    text: &'a str,
    members: Vec<(String, &'a RawValue)>,
}

impl<'a> Layers<'a> {
    /// Reads the sources as far as their syntax goes; what is wrong with them goes to `findings`.
    pub(crate) fn new(sources: &'a Sources, findings: &mut Vec<Finding>) -> Self {
        let env_file = sources.env_file.as_ref().map(|file| {
            let parsed = EnvFile::parse(file.path.clone(), &file.content);
            findings.extend(parsed.findings(&file.content));
            parsed
        });
        let json_file = sources
            .json_file
            .as_ref()
            .and_then(|file| match JsonLayer::parse(file) {
                Ok(layer) => Some(layer),
                Err(finding) => {
                    findings.push(finding);
                    None
                }
            });
        Self {
            environment: &sources.environment,
            env_file,
            json_file,
        }
    }

    pub(crate) fn env_file(&self) -> Option<&EnvFile> {
        self.env_file.as_ref()
    }

    /// The text of the JSON file and where it is, for the lines of nested values.
    pub(crate) fn json_text(&self) -> Option<(&'a str, &'a Path)> {
        self.json_file.as_ref().map(|layer| (layer.text, layer.path))
    }

    /// Whether the JSON file holds auth data, used or not.
    pub(crate) fn json_has_auth_data(&self) -> bool {
        self.json_file
            .as_ref()
            .is_some_and(|layer| layer.get("engineauthdata").is_some())
    }

    /// The value of the first layer that has one. An empty value counts as not set, as in the agent.
    ///
    /// `names` are equal names of the setting, the first goes first within a layer; `json_name` is in lower case.
    pub(crate) fn get(
        &self,
        names: &[&str],
        json_name: Option<&str>,
    ) -> Result<Option<Setting<Written<'_>>>, Finding> {
        for name in names {
            if let Some(value) = self.environment.get(name)?.filter(|value| !value.is_empty()) {
                return Ok(Some(Setting::new(
                    Written::Text(value),
                    Origin::environment(*name),
                )));
            }
        }
        for name in names {
            let Some((value, origin)) = self.env_file.as_ref().and_then(|file| file.get(name)) else {
                continue;
            };
            let value = value?;
            if !value.is_empty() {
                return Ok(Some(Setting::new(Written::Text(value), origin)));
            }
        }
        Ok(json_name.and_then(|name| self.json_file.as_ref()?.get(name)))
    }

    /// [`get`](Self::get) for a setting that is text everywhere, trimmed as in the agent.
    pub(crate) fn text(
        &self,
        names: &[&str],
        json_name: Option<&str>,
    ) -> Result<Option<Setting<String>>, Finding> {
        let Some(setting) = self.get(names, json_name)? else {
            return Ok(None);
        };
        let text = match setting.value {
            Written::Text(text) => text.trim().to_owned(),
            Written::Json(raw) => match json::string(raw) {
                Some(text) => text.trim().to_owned(),
                None => return Err(wrong_type(&setting.origin, json_name, raw, "a string")),
            },
        };
        Ok(Some(Setting::new(text, setting.origin)).filter(|setting| !setting.value.is_empty()))
    }
}

/// A JSON value of a type that the setting cannot have.
pub(crate) fn wrong_type(origin: &Origin, name: Option<&str>, raw: &RawValue, wanted: &str) -> Finding {
    Finding::error(
        origin.clone(),
        format!(
            "field {:?} is {}, not {wanted}",
            name.unwrap_or_default(),
            json::kind(raw)
        ),
    )
    .with_next_step(format!("write {wanted}"))
}

impl<'a> JsonLayer<'a> {
    fn parse(file: &'a FileText) -> Result<Self, Finding> {
        let place = || Origin::file(file.path.as_path());
        let text = std::str::from_utf8(&file.content).map_err(|error| {
            Finding::error(
                place(),
                format!("it is not UTF-8 from byte {} on", error.valid_up_to()),
            )
            .with_next_step("save the file in UTF-8")
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let raw = json::document(text).map_err(|problem| {
            Finding::error(place(), format!("it is {problem}"))
                .with_next_step("correct the JSON at that place")
        })?;
        let members = json::members(raw).ok_or_else(|| {
            Finding::error(place(), format!("it is {}, not an object", json::kind(raw)))
                .with_next_step("write {\"EngineAuthType\": …, \"EngineAuthData\": {…}}")
        })?;
        Ok(Self {
            path: &file.path,
            text,
            members,
        })
    }

    fn get(&self, name: &str) -> Option<Setting<Written<'a>>> {
        let (_, raw) = self
            .members
            .iter()
            .rfind(|(member, raw)| json::is_field(member, name) && json::kind(raw) != Kind::Null)?;
        let origin = Origin::file_line(self.path, Lines::new(self.text).of(raw));
        Some(Setting::new(Written::Json(raw), origin)).filter(|_| raw.get() != "\"\"")
    }
}
