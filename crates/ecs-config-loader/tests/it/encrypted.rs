//! Auth data that is encrypted at rest.

use std::sync::{Arc, Mutex};

use ecs_config_loader::{
    Config, ConfigErrors, DecryptFuture, Decryptor, EncryptedAuthData, Environment, Loader,
};
use ecs_registry_auth::{Diagnosis, ErrorClass, ErrorName, Secret, Stage};

/// Answers with a fixed text and remembers key and region that it was asked with.
#[derive(Debug)]
struct Fake {
    answer: Result<Vec<u8>, Diagnosis>,
    asked: Mutex<Vec<(Option<String>, Option<String>)>>,
    instances: Mutex<Vec<(bool, Option<String>)>>,
}

impl Fake {
    fn new(answer: Result<&[u8], Diagnosis>) -> Arc<Self> {
        Arc::new(Self {
            answer: answer.map(<[u8]>::to_vec),
            asked: Mutex::default(),
            instances: Mutex::default(),
        })
    }
}

impl Decryptor for Fake {
    fn decrypt<'a>(&'a self, data: EncryptedAuthData<'a>) -> DecryptFuture<'a> {
        assert_eq!(data.ciphertext, b"ciphertext");
        let asked = (data.key.map(str::to_owned), data.region.map(str::to_owned));
        self.asked.lock().unwrap().push(asked);
        let instance = (data.external, data.profile.map(str::to_owned));
        self.instances.lock().unwrap().push(instance);
        Box::pin(std::future::ready(self.answer.clone().map(Secret::new)))
    }
}

const CIPHERTEXT: (&str, &str) = ("ECS_ENGINE_AUTH_DATA_KMS", "Y2lwaGVydGV4dA==");
const TYPE: (&str, &str) = ("ECS_ENGINE_AUTH_TYPE", "docker");

async fn load(variables: &[(&str, &str)], decryptor: Option<Arc<Fake>>) -> Result<Config, ConfigErrors> {
    let loader = Loader::new(Environment::from_iter(variables.iter().copied())).without_default_files();
    match decryptor {
        Some(decryptor) => loader.decryptor(decryptor).load().await,
        None => loader.load().await,
    }
}

#[tokio::test]
async fn what_decrypts_is_read_like_plain_data() {
    let fake = Fake::new(Ok(br#"{"ghcr.io": {"username": "alice", "password": "p"}}"#));
    let config = load(&[TYPE, CIPHERTEXT], Some(Arc::clone(&fake))).await.unwrap();
    let image = "ghcr.io/team/app".parse().unwrap();
    let resolved = config.engine_auth.lookup(&image).unwrap().unwrap();
    assert_eq!(
        resolved.provenance.to_string(),
        "engine-auth key \"ghcr.io\" user \"alice\" (environment ECS_ENGINE_AUTH_DATA_KMS)"
    );
    assert_eq!(*fake.asked.lock().unwrap(), [(None, None)]);
}

#[tokio::test]
async fn the_region_is_that_of_the_key_else_the_configured_one() {
    let key = "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let region = ("AWS_DEFAULT_REGION", "us-east-1");
    for (variables, expected) in [
        (
            vec![TYPE, CIPHERTEXT, region],
            (None, Some("us-east-1".to_owned())),
        ),
        (
            vec![TYPE, CIPHERTEXT, region, ("ECS_ENGINE_AUTH_KMS_KEY", key)],
            (Some(key.to_owned()), Some("eu-west-1".to_owned())),
        ),
        (
            vec![
                TYPE,
                CIPHERTEXT,
                region,
                ("ECS_ENGINE_AUTH_KMS_KEY", "alias/auth"),
            ],
            (Some("alias/auth".to_owned()), Some("us-east-1".to_owned())),
        ),
    ] {
        let fake = Fake::new(Ok(b"{}"));
        load(&variables, Some(Arc::clone(&fake))).await.unwrap();
        assert_eq!(*fake.asked.lock().unwrap(), [expected]);
    }
}

#[tokio::test]
async fn the_decryptor_is_told_what_kind_of_instance_this_is() {
    for (variables, expected) in [
        (vec![TYPE, CIPHERTEXT], (false, None)),
        (
            vec![
                TYPE,
                CIPHERTEXT,
                ("ECS_EXTERNAL", "true"),
                ("AWS_DEFAULT_REGION", "eu-west-1"),
                ("ECS_ALTERNATE_CREDENTIAL_PROFILE", "site"),
            ],
            (true, Some("site".to_owned())),
        ),
    ] {
        let fake = Fake::new(Ok(b"{}"));
        load(&variables, Some(Arc::clone(&fake))).await.unwrap();
        assert_eq!(*fake.instances.lock().unwrap(), [expected]);
    }
}

#[tokio::test]
async fn what_cannot_be_decrypted_is_an_error_and_never_anonymous() {
    let denied = Diagnosis::new(
        ErrorName::ResourceInitialization,
        ErrorClass::Credential,
        Stage::Credential,
        "KMS refused",
    )
    .with_cause("AccessDeniedException")
    .with_next_step("allow kms:Decrypt");
    let place = "environment ECS_ENGINE_AUTH_DATA_KMS: ";
    for (variables, decryptor, expected) in [
        (
            vec![TYPE, CIPHERTEXT],
            Some(Fake::new(Err(denied))),
            "ECS_ENGINE_AUTH_DATA_KMS cannot be decrypted: KMS refused: AccessDeniedException",
        ),
        (
            vec![TYPE, CIPHERTEXT],
            None,
            "ECS_ENGINE_AUTH_DATA_KMS is set, and this program cannot decrypt it",
        ),
        (
            vec![TYPE, ("ECS_ENGINE_AUTH_DATA_KMS", "hunter2!")],
            Some(Fake::new(Ok(b"{}"))),
            "ECS_ENGINE_AUTH_DATA_KMS is not base64",
        ),
        (
            vec![TYPE, CIPHERTEXT],
            Some(Fake::new(Ok(b"\xff"))),
            "ECS_ENGINE_AUTH_DATA_KMS does not decrypt to UTF-8",
        ),
        (
            vec![TYPE, CIPHERTEXT],
            Some(Fake::new(Ok(b"hunter2"))),
            "the auth data is not valid JSON: expected value at line 1 column 1",
        ),
        (
            vec![TYPE, CIPHERTEXT, ("ECS_ENGINE_AUTH_DATA", "{}")],
            Some(Fake::new(Ok(b"{}"))),
            "ECS_ENGINE_AUTH_DATA_KMS is set, and so is ECS_ENGINE_AUTH_DATA (environment ECS_ENGINE_AUTH_DATA)",
        ),
    ] {
        let errors = load(&variables, decryptor).await.unwrap_err();
        assert_eq!(errors.to_string(), format!("{place}{expected}"));
        assert!(errors.findings()[0].next_step.is_some(), "{errors}");
    }
}
