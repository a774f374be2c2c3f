//! What a task pulls: the images of its containers and the credential that each of them needs.
//!
//! [`parse`] takes the text of a document and gives a [`TaskImages`]: a value. Nothing is opened, nobody is asked, and
//! no credential is looked up; a [`CredentialRequirement`] only says which one has to be.
//!
//! ```
//! use ecs_registry_auth::Origin;
//! use ecs_task_images::CredentialRequirement;
//!
//! let document = r#"{
//!   "family": "web",
//!   "executionRoleArn": "arn:aws:iam::111111111111:role/web-execution",
//!   "containerDefinitions": [{
//!     "name": "app",
//!     "image": "registry.example.com/team/app:v1",
//!     "repositoryCredentials": {
//!       "credentialsParameter": "arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry-AbCdEf"
//!     }
//!   }]
//! }"#;
//! let task = ecs_task_images::parse(document, &Origin::file("task.json"))?;
//! let app = task.select(&["app"])?[0];
//! assert_eq!(app.image, "registry.example.com/team/app:v1");
//! let CredentialRequirement::RepositoryCredentials { credentials_parameter, origin, .. } = &app.credential else {
//!     panic!("the container names a secret");
//! };
//! assert!(credentials_parameter.ends_with(":secret:registry-AbCdEf"));
//! assert_eq!(origin.to_string(), "task.json:8");
//! # Ok::<(), ecs_task_images::TaskError>(())
//! ```
//!
//! # Contract
//!
//! * What is absent is `None`, what is broken is an error. A credential that is described in a way that cannot be used
//!   (misspelt, misplaced, pasted in plain text) never becomes [`CredentialRequirement::None`], because that would be
//!   an anonymous pull.
//! * All problems of a document are reported at once, each with its line, its container and a next step. Values are not
//!   shown: any of them may be a secret in the wrong place.
//! * Fields that do not matter to a pull are not looked at.
//!
//! # Shapes
//!
//! The shape is told from the document's fields:
//!
//! * a task definition as `aws ecs register-task-definition --cli-input-json` takes it (`containerDefinitions`);
//! * the same as `aws ecs describe-task-definition` returns it (`taskDefinition`);
//! * a task as the control plane describes it to an agent (`containers`, with `registryAuthentication`), alone or as the
//!   one item of a message's `tasks`.
//!
//! Field names may start with a capital letter, as some SDKs print them. Documents that are often passed by mistake
//! (YAML, templates, what `describe-tasks` prints) are recognised, and the error says what to pass instead.

mod container;
mod credential;
mod document;
mod error;
mod image;
mod model;
mod object;
mod parse;
mod select;
mod shape;
mod syntax;
mod task;

pub use error::{Problem, TaskError};
pub use model::{ContainerImage, CredentialRequirement, Platform, TaskImages};
pub use parse::{parse, parse_bytes};
