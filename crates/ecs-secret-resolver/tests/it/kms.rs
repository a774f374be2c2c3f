//! What is found out about a key that refuses, and encryption at rest.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ecs_secret_resolver::{AwsContext, Identity, KmsDecryptor};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{ARN, Aws, error, keychain, ok, resolve, role_keys, shown};

const KEY: &str = "arn:aws:kms:eu-west-1:222222222222:key/1234abcd";

fn metadata(manager: &str, state: &str) -> ResponseTemplate {
    ok(json!({"KeyMetadata": {
        "KeyId": "1234abcd", "Arn": KEY, "AWSAccountId": "222222222222", "KeyManager": manager, "KeyState": state,
    }}))
}

async fn diagnosis(
    describe_secret: ResponseTemplate,
    describe_key: ResponseTemplate,
    dry_run: ResponseTemplate,
) -> [String; 2] {
    let aws = Aws::start().await;
    aws.on_secret(error(
        400,
        "AccessDeniedException",
        "Access to KMS is not allowed",
    ))
    .await;
    aws.on("secretsmanager.DescribeSecret", describe_secret).await;
    aws.on("TrentService.DescribeKey", describe_key).await;
    aws.on("TrentService.Decrypt", dry_run).await;
    let diagnosis = resolve(&keychain(&aws.resolver(), ARN, Identity::ready(role_keys())))
        .await
        .unwrap_err();
    shown(&diagnosis);
    assert!(
        diagnosis.message().contains("AccessDeniedException (request id"),
        "{diagnosis:?}"
    );
    let cause = diagnosis.cause().unwrap().to_owned();
    assert!(cause.starts_with("Access to KMS is not allowed"), "{cause}");
    [cause, diagnosis.next_step().unwrap().to_owned()]
}

fn with_key(key: Option<&str>) -> ResponseTemplate {
    let mut body = json!({"ARN": ARN, "Name": "registry"});
    if let Some(key) = key {
        body["KmsKeyId"] = Value::from(key);
    }
    ok(body)
}

fn denied() -> ResponseTemplate {
    error(
        400,
        "AccessDeniedException",
        "not authorized to perform: kms:Decrypt",
    )
}

#[tokio::test]
async fn what_must_change_depends_on_the_key() {
    let other = || error(400, "InvalidCiphertextException", "");
    for (what, describe_secret, describe_key, dry_run, found, step) in [
        (
            "another account's managed key",
            with_key(None),
            other(),
            other(),
            "AWS-managed key aws/secretsmanager; that key cannot be used from outside account 222222222222",
            "let the owner (account 222222222222) encrypt the secret with a customer-managed key",
        ),
        (
            "disabled",
            with_key(Some(KEY)),
            metadata("CUSTOMER", "Disabled"),
            other(),
            "is customer-managed, in account 222222222222, in state Disabled",
            "aws kms enable-key --region eu-west-1 --key-id arn:aws:kms:eu-west-1:222222222222:key/1234abcd",
        ),
        (
            "pending deletion",
            with_key(Some(KEY)),
            metadata("CUSTOMER", "PendingDeletion"),
            other(),
            "in state PendingDeletion",
            "aws kms cancel-key-deletion",
        ),
        (
            "denied",
            with_key(Some(KEY)),
            metadata("CUSTOMER", "Enabled"),
            denied(),
            "a dry run of kms:Decrypt with arn:aws:kms:eu-west-1:222222222222:key/1234abcd is denied",
            r#""Resource":"arn:aws:kms:eu-west-1:222222222222:key/1234abcd"}; and let the owner of the key (account 222222222222)"#,
        ),
        (
            "a bare key id, which may not be described",
            with_key(Some("1234abcd")),
            denied(),
            denied(),
            "key arn:aws:kms:eu-west-1:222222222222:key/1234abcd cannot be described",
            r#"{"kms:ViaService":"secretsmanager.eu-west-1.amazonaws.com"}"#,
        ),
        (
            "allowed by itself",
            with_key(Some(KEY)),
            metadata("CUSTOMER", "Enabled"),
            error(412, "DryRunOperationException", "would have succeeded"),
            "a dry run of kms:Decrypt with arn:aws:kms:eu-west-1:222222222222:key/1234abcd is allowed",
            "kms:ViaService",
        ),
        (
            "nothing may be asked",
            denied(),
            denied(),
            denied(),
            "the secret's key is not known, DescribeSecret: AccessDeniedException",
            "the secret is in another account: its key must be a customer-managed one",
        ),
    ] {
        let [cause, next_step] = diagnosis(describe_secret, describe_key, dry_run).await;
        assert!(cause.contains(found), "{what}: {cause:?} lacks {found:?}");
        assert!(next_step.contains(step), "{what}: {next_step:?} lacks {step:?}");
    }
}

#[tokio::test]
async fn the_dry_run_needs_no_ciphertext_of_the_secret() {
    let aws = Aws::start().await;
    aws.on_secret(error(400, "DecryptionFailure", "cannot decrypt"))
        .await;
    aws.on("secretsmanager.DescribeSecret", with_key(Some(KEY))).await;
    aws.on("TrentService.DescribeKey", metadata("CUSTOMER", "Enabled"))
        .await;
    aws.on("TrentService.Decrypt", denied()).await;
    resolve(&keychain(&aws.resolver(), ARN, Identity::ready(role_keys())))
        .await
        .unwrap_err();
    let body = aws.body_of_last().await;
    assert_eq!(body["DryRun"], true);
    assert_eq!(body["DryRunModifiers"], json!(["IGNORE_CIPHERTEXT"]));
    assert_eq!(body["KeyId"], KEY);
}

#[tokio::test]
async fn configuration_is_encrypted_and_decrypted_in_the_keys_region_with_its_context() {
    let aws = Aws::start().await;
    aws.on(
        "TrentService.Encrypt",
        ok(json!({"CiphertextBlob": STANDARD.encode("cipher"), "KeyId": KEY})),
    )
    .await;
    aws.on(
        "TrentService.Decrypt",
        ok(json!({"Plaintext": STANDARD.encode("plain"), "KeyId": KEY})),
    )
    .await;
    let kms = KmsDecryptor::new(AwsContext::from_sdk_config(aws.config()), Identity::caller());
    let context = [("purpose", "ECS_ENGINE_AUTH_DATA")];
    let id = KEY.rsplit('/').next().unwrap();
    let encrypted = kms
        .encrypt(b"plain", id, Some("eu-west-1"), &context)
        .await
        .unwrap();
    assert_eq!(encrypted.bytes, b"cipher");
    assert_eq!(encrypted.key, KEY, "the whole ARN, whatever was asked for");
    assert!(
        aws.header_of_last("authorization")
            .await
            .contains("/eu-west-1/kms/")
    );
    let plain = kms
        .decrypt(b"cipher", Some(KEY), Some("us-west-2"), &context)
        .await
        .unwrap();
    assert_eq!(plain.expose(), b"plain");
    let body = aws.body_of_last().await;
    assert_eq!(
        body["EncryptionContext"],
        json!({"purpose": "ECS_ENGINE_AUTH_DATA"})
    );
    assert_eq!(body["CiphertextBlob"], STANDARD.encode("cipher"));
    assert!(
        aws.header_of_last("authorization")
            .await
            .contains("/eu-west-1/kms/")
    );
    kms.decrypt(b"cipher", None, Some("us-west-2"), &context)
        .await
        .unwrap();
    assert!(
        aws.header_of_last("authorization")
            .await
            .contains("/us-west-2/kms/")
    );
}

#[tokio::test]
async fn a_ciphertext_that_does_not_decrypt_says_what_to_do() {
    for (answer, message, step) in [
        (
            error(400, "InvalidCiphertextException", ""),
            "InvalidCiphertextException",
            "encrypt the data again",
        ),
        (
            error(400, "ValidationException", "Invalid keyId"),
            "ValidationException",
            "ARN and region",
        ),
        (
            error(400, "NotFoundException", "Key does not exist"),
            "NotFoundException",
            "ARN and region",
        ),
        (
            error(400, "DisabledException", "disabled"),
            "DisabledException",
            "must be enabled",
        ),
    ] {
        let aws = Aws::start().await;
        aws.on("TrentService.Decrypt", answer).await;
        let kms = KmsDecryptor::new(AwsContext::from_sdk_config(aws.config()), Identity::caller());
        let diagnosis = kms.decrypt(b"cipher", Some(KEY), None, &[]).await.unwrap_err();
        assert!(diagnosis.message().contains(message), "{diagnosis:?}");
        assert!(diagnosis.message().contains(KEY), "{diagnosis:?}");
        assert!(diagnosis.next_step().unwrap().contains(step), "{diagnosis:?}");
    }
}

/// The key is used by this program itself: a statement with `kms:ViaService` would not allow it.
#[tokio::test]
async fn a_denied_use_of_a_key_names_the_action_and_the_key_without_a_condition() {
    const ALIAS: &str = "arn:aws:kms:eu-west-1:222222222222:alias/logins";
    let by_name = |action: &str| format!("User: x is not authorized to perform: {action} on resource: {KEY}");
    let short = |action: &str| format!("User: x is not authorized to perform: {action}");
    for (said, key, resource) in [
        (by_name as fn(&str) -> String, KEY, KEY),
        (by_name, "1234abcd", KEY),
        (short, KEY, KEY),
        (short, "1234abcd", "ARN of the key"),
        (short, ALIAS, "ARN of the key"),
    ] {
        let aws = Aws::start().await;
        for (target, action) in [
            ("TrentService.Encrypt", "kms:Encrypt"),
            ("TrentService.Decrypt", "kms:Decrypt"),
        ] {
            aws.on(target, error(400, "AccessDeniedException", &said(action)))
                .await;
        }
        let kms = KmsDecryptor::new(
            AwsContext::from_sdk_config(aws.config()),
            Identity::ready(role_keys()),
        );
        let region = Some("eu-west-1");
        let encrypted = kms.encrypt(b"plain", key, region, &[]).await.unwrap_err();
        let decrypted = kms.decrypt(b"cipher", Some(key), region, &[]).await.unwrap_err();
        for (diagnosis, action) in [(encrypted, "kms:Encrypt"), (decrypted, "kms:Decrypt")] {
            let next_step = diagnosis.next_step().unwrap();
            let (whose, statement) = next_step.split_once(": {").unwrap();
            assert!(whose.contains("a policy of role"), "{next_step}");
            let statement: Value = serde_json::from_str(&format!("{{{statement}")).unwrap();
            let expected = json!({"Effect": "Allow", "Action": action, "Resource": resource});
            assert_eq!(statement, expected, "{key}: {next_step}");
        }
    }
}

#[tokio::test]
async fn more_than_kms_takes_is_refused_here() {
    let aws = Aws::start().await;
    let kms = KmsDecryptor::new(AwsContext::from_sdk_config(aws.config()), Identity::caller());
    let error = kms.encrypt(&[0; 4097], KEY, None, &[]).await.unwrap_err();
    assert!(error.message().contains("4097"), "{error:?}");
    assert!(aws.server.received_requests().await.unwrap().is_empty());
}
