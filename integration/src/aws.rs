//! AWS: moto, with as many accounts and regions as a test names, and its checks switched on.

use anyhow::{Context, Result, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_secretsmanager::primitives::Blob;
use reqwest::Client;
use serde_json::{Value, json};

use crate::part::Part;
use crate::tool;

/// An IAM user's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// As in `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// As in `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// As in `AWS_SESSION_TOKEN`: with keys of a role.
    pub session_token: Option<String>,
}

/// STS, IAM, Secrets Manager, KMS and ECR on a loopback port.
///
/// Accounts are set up first; after [`enforce`](Self::enforce) every request needs a right signature of known keys and a policy
/// that allows its action. Limits of moto that tests have to know: of a policy it reads actions, and of resources only `*`;
/// resource policies (of secrets, of keys, and trust between accounts) are not evaluated, nor `kms:Decrypt` when a secret is read.
#[derive(Debug)]
pub struct Aws {
    part: Part,
    endpoint: String,
    client: Client,
}

/// One account, through the eyes of its administrator.
#[derive(Debug, Clone)]
pub struct Account {
    id: String,
    endpoint: String,
    client: Client,
    administrator: Keys,
}

impl Aws {
    /// Starts it, without accounts and without checks.
    ///
    /// # Errors
    /// moto is not installed (`integration/setup` does that) or does not start: with its log.
    pub async fn start() -> Result<Self> {
        let mut part = Part::new("aws")?;
        let program = tool::moto_server()?;
        part.run(&[
            program.as_os_str(),
            "-H".as_ref(),
            "127.0.0.1".as_ref(),
            "-p".as_ref(),
            "0".as_ref(),
        ])?;
        let endpoint = part
            .wait_for_log(|log| {
                let (_, rest) = log.split_once("Running on ")?;
                Some(rest.split_once('\n')?.0.trim().to_owned())
            })
            .await?;
        let client = Client::builder().no_proxy().build()?;
        Ok(Self {
            part,
            endpoint,
            client,
        })
    }

    /// The value of `AWS_ENDPOINT_URL` that leads here.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The account of these twelve digits, with an administrator who may do everything in it.
    ///
    /// # Errors
    /// The account has an administrator already, or the checks are on.
    pub async fn account(&self, id: &str) -> Result<Account> {
        let mut account = Account {
            id: id.to_owned(),
            endpoint: self.endpoint.clone(),
            client: self.client.clone(),
            administrator: Keys {
                access_key_id: String::new(),
                secret_access_key: String::new(),
                session_token: None,
            },
        };
        account.administrator = account.user("administrator", &["*"]).await?;
        Ok(account)
    }

    /// From now on every request is checked for its signature and its right.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn enforce(&self) -> Result<()> {
        let request = self.client.post(format!("{}/moto-api/reset-auth", self.endpoint));
        request
            .header("content-type", "text/plain")
            .body("0")
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    /// How many requests it has answered so far, and with which status: `("POST /", 200)`.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.part
            .log()
            .lines()
            .filter(|line| line.contains("HTTP/1.1"))
            .count()
    }
}

impl Account {
    /// The account's twelve digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The keys of the administrator.
    #[must_use]
    pub fn administrator(&self) -> &Keys {
        &self.administrator
    }

    /// A user with keys, allowed these actions on everything.
    ///
    /// # Errors
    /// The name is taken, or the checks are on.
    pub async fn user(&self, name: &str, actions: &[&str]) -> Result<Keys> {
        self.iam("CreateUser", &[("UserName", name)]).await?;
        let policy = allow(actions).to_string();
        let fields = [
            ("UserName", name),
            ("PolicyName", "permissions"),
            ("PolicyDocument", &policy),
        ];
        self.iam("PutUserPolicy", &fields).await?;
        let answer = self.iam("CreateAccessKey", &[("UserName", name)]).await?;
        Ok(Keys {
            access_key_id: element(&answer, "AccessKeyId")?,
            secret_access_key: element(&answer, "SecretAccessKey")?,
            session_token: None,
        })
    }

    /// A role that may be assumed by `trusted` (an account's root ARN, or a service) and is allowed these actions on
    /// everything: its ARN.
    ///
    /// # Errors
    /// The name is taken, or the checks are on.
    pub async fn role(&self, name: &str, trusted: &Value, actions: &[&str]) -> Result<String> {
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}],
        })
        .to_string();
        let fields = [("RoleName", name), ("AssumeRolePolicyDocument", trust.as_str())];
        let answer = self.iam("CreateRole", &fields).await?;
        let policy = allow(actions).to_string();
        let fields = [
            ("RoleName", name),
            ("PolicyName", "permissions"),
            ("PolicyDocument", &policy),
        ];
        self.iam("PutRolePolicy", &fields).await?;
        element(&answer, "Arn")
    }

    /// A customer-managed KMS key: its ARN.
    ///
    /// # Errors
    /// AWS refuses.
    pub async fn key(&self, region: &str) -> Result<String> {
        let client = aws_sdk_kms::Client::new(&self.configuration(region, &self.administrator));
        let created = client
            .create_key()
            .description("registry credentials")
            .send()
            .await?;
        Ok(created
            .key_metadata()
            .and_then(|key| key.arn())
            .context("a key without ARN")?
            .to_owned())
    }

    /// A secret with this text, under a customer-managed key if one is given: its ARN.
    ///
    /// # Errors
    /// AWS refuses, for example because the name is taken.
    pub async fn secret(&self, region: &str, name: &str, text: &str, key: Option<&str>) -> Result<String> {
        let request = self
            .secrets(region)
            .create_secret()
            .name(name)
            .secret_string(text);
        let created = request.set_kms_key_id(key.map(str::to_owned)).send().await?;
        Ok(created.arn().context("a secret without ARN")?.to_owned())
    }

    /// A secret of bytes: its ARN.
    ///
    /// # Errors
    /// AWS refuses, for example because the name is taken.
    pub async fn binary_secret(&self, region: &str, name: &str, content: &[u8]) -> Result<String> {
        let request = self
            .secrets(region)
            .create_secret()
            .name(name)
            .secret_binary(Blob::new(content));
        Ok(request
            .send()
            .await?
            .arn()
            .context("a secret without ARN")?
            .to_owned())
    }

    /// Gives a secret another text.
    ///
    /// # Errors
    /// AWS refuses, for example because there is no such secret in that region.
    pub async fn rotate(&self, region: &str, secret: &str, text: &str) -> Result<()> {
        self.secrets(region)
            .put_secret_value()
            .secret_id(secret)
            .secret_string(text)
            .send()
            .await?;
        Ok(())
    }

    /// What the SDK needs to act with `keys`.
    #[must_use]
    pub fn configuration(&self, region: &str, keys: &Keys) -> SdkConfig {
        let credentials = Credentials::from_keys(
            &keys.access_key_id,
            &keys.secret_access_key,
            keys.session_token.clone(),
        );
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(&self.endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build()
    }

    fn secrets(&self, region: &str) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.configuration(region, &self.administrator))
    }

    /// IAM by its plain query protocol: the SDK's crate for it takes longer to build than all others together.
    async fn iam(&self, action: &str, fields: &[(&str, &str)]) -> Result<String> {
        let mut form = vec![("Action", action), ("Version", "2010-05-08")];
        form.extend_from_slice(fields);
        let response = self
            .client
            .post(&self.endpoint)
            .header("x-moto-account-id", &self.id)
            // By the service's name in the credential scope moto tells which service is meant.
            .header("authorization", "AWS4-HMAC-SHA256 Credential=none/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=none")
            .form(&form)
            .send()
            .await?;
        let status = response.status();
        let answer = response.text().await?;
        if !status.is_success() {
            bail!("{action} in account {}: {status}: {answer}", self.id);
        }
        Ok(answer)
    }
}

fn allow(actions: &[&str]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    })
}

/// The text of the first element of this name. IAM's answers need no more than that.
fn element(answer: &str, name: &str) -> Result<String> {
    let text = answer
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once('<'))
        .with_context(|| format!("an answer of IAM without {name}"))?
        .0;
    Ok(text.to_owned())
}
