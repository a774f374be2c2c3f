//! Settings from the command line, or from the program that embeds this crate: they go before every other source.

use std::fmt;

use ecs_registry_auth::Origin;

use crate::{DockerConfigUse, Setting};

/// The settings that can be given as arguments.
#[derive(Clone, Default)]
pub(crate) struct Arguments {
    pub(crate) region: Option<Setting<String>>,
    pub(crate) docker_host: Option<Setting<String>>,
    pub(crate) docker_config: Option<Setting<DockerConfigUse>>,
}

/// A text as it was given; an empty one counts as not set, as everywhere.
pub(crate) fn text(value: &str, origin: Origin) -> Option<Setting<String>> {
    let value = value.trim();
    (!value.is_empty()).then(|| Setting::new(value.to_owned(), origin))
}

/// Where they were given: the URL of an engine may hold a password.
impl fmt::Debug for Arguments {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = [
            self.region.as_ref().map(|setting| &setting.origin),
            self.docker_host.as_ref().map(|setting| &setting.origin),
            self.docker_config.as_ref().map(|setting| &setting.origin),
        ];
        formatter
            .debug_set()
            .entries(origins.into_iter().flatten().map(Origin::to_string))
            .finish()
    }
}
