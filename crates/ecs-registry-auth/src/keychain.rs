//! Whatever can answer "which credential for this image?".

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::{Candidate, Diagnosis, ImageReference, Provenance, RegistryCredential};

/// A credential and where it came from.
#[derive(Clone, Debug)]
pub struct ResolvedCredential {
    /// What is shown to the registry.
    pub credential: Arc<RegistryCredential>,
    /// Where it came from, and the only registry it may be shown to.
    pub provenance: Arc<Provenance>,
}

impl ResolvedCredential {
    /// Joins the two halves of an answer.
    pub fn new(
        credential: impl Into<Arc<RegistryCredential>>,
        provenance: impl Into<Arc<Provenance>>,
    ) -> Self {
        Self {
            credential: credential.into(),
            provenance: provenance.into(),
        }
    }
}

/// The answer of a [`Keychain`], once it is there.
pub type ResolveFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Option<ResolvedCredential>, Diagnosis>> + Send + 'a>>;

/// A source of credentials. See the [contract](crate#contract) for what each answer means.
pub trait Keychain: Debug + Send + Sync {
    /// The credential for an image; `None` when this source has none.
    ///
    /// # Errors
    ///
    /// A [`Diagnosis`] when this source should have had an answer and could not give it. It stops a chain.
    fn resolve<'a>(&'a self, image: &'a ImageReference) -> ResolveFuture<'a>;

    /// Another credential, after the registry refused `refused`: a rotated secret, a fresh token. `None`, which is
    /// what a keychain answers that cannot know better, means that the refusal is final.
    ///
    /// A chain hands every refusal to all of its sources, so a source that asks somebody answers `None` at once when
    /// the [`source`](Provenance::source) of `refused` is not its own.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    fn resolve_after_refusal<'a>(
        &'a self,
        image: &'a ImageReference,
        refused: &'a ResolvedCredential,
    ) -> ResolveFuture<'a> {
        let _ = (image, refused);
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Every key this source looks at for the image and why it is chosen or not, without any request.
    ///
    /// Where it is known without one that [`resolve`](Self::resolve) will fail, a candidate carries that
    /// [`error`](Candidate::error).
    fn candidates(&self, image: &ImageReference) -> Vec<Candidate>;
}

impl<K: Keychain + ?Sized> Keychain for Arc<K> {
    fn resolve<'a>(&'a self, image: &'a ImageReference) -> ResolveFuture<'a> {
        (**self).resolve(image)
    }

    fn resolve_after_refusal<'a>(
        &'a self,
        image: &'a ImageReference,
        refused: &'a ResolvedCredential,
    ) -> ResolveFuture<'a> {
        (**self).resolve_after_refusal(image, refused)
    }

    fn candidates(&self, image: &ImageReference) -> Vec<Candidate> {
        (**self).candidates(image)
    }
}

/// Keychains asked one after another: the first that has a credential answers, an error stops.
///
/// An empty chain answers `None` for everything: an anonymous pull.
#[derive(Clone, Debug, Default)]
pub struct KeychainChain(Vec<Arc<dyn Keychain>>);

impl KeychainChain {
    /// A chain in this order.
    #[must_use]
    pub fn new(keychains: Vec<Arc<dyn Keychain>>) -> Self {
        Self(keychains)
    }
}

impl Keychain for KeychainChain {
    fn resolve<'a>(&'a self, image: &'a ImageReference) -> ResolveFuture<'a> {
        Box::pin(async move {
            for keychain in &self.0 {
                if let Some(resolved) = keychain.resolve(image).await? {
                    return Ok(Some(resolved));
                }
            }
            Ok(None)
        })
    }

    fn resolve_after_refusal<'a>(
        &'a self,
        image: &'a ImageReference,
        refused: &'a ResolvedCredential,
    ) -> ResolveFuture<'a> {
        Box::pin(async move {
            // Only the source that gave the credential may replace it: the next source in the chain must not get
            // its turn because a registry said no. A source passes over what is not its own.
            for keychain in &self.0 {
                let replacement = keychain.resolve_after_refusal(image, refused).await?;
                if let Some(resolved) =
                    replacement.filter(|resolved| resolved.provenance.source == refused.provenance.source)
                {
                    return Ok(Some(resolved));
                }
            }
            Ok(None)
        })
    }

    fn candidates(&self, image: &ImageReference) -> Vec<Candidate> {
        let mut why_not = None;
        let mut all = Vec::new();
        for keychain in &self.0 {
            let mut candidates = keychain.candidates(image);
            if let Some(why_not) = why_not {
                for candidate in candidates.iter_mut().filter(|candidate| candidate.is_decisive()) {
                    candidate.pass_over(why_not);
                }
            } else if candidates.iter().any(|candidate| candidate.error.is_some()) {
                why_not = Some("an earlier source is broken, and the pull fails");
            } else if candidates.iter().any(|candidate| candidate.chosen) {
                why_not = Some("an earlier source has a credential");
            }
            all.append(&mut candidates);
        }
        all
    }
}

/// One credential for one registry: what tests and small embedders need.
///
/// It answers for its own registry only.
///
/// ```
/// use ecs_registry_auth::{
///     CredentialSource, Keychain, Provenance, Registry, RegistryCredential, ResolvedCredential, StaticKeychain,
/// };
///
/// let registry = Registry::from_host("registry.example.com");
/// let keychain = StaticKeychain::new(ResolvedCredential::new(
///     RegistryCredential::basic("alice", "correct horse"),
///     Provenance::new(CredentialSource::EngineAuth, registry),
/// ));
/// let other = "registry.example.net/app".parse()?;
/// assert!(!keychain.candidates(&other)[0].chosen);
/// # Ok::<(), ecs_registry_auth::ReferenceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct StaticKeychain(ResolvedCredential);

impl StaticKeychain {
    /// A keychain that holds this credential, for the registry of its provenance.
    #[must_use]
    pub fn new(resolved: ResolvedCredential) -> Self {
        Self(resolved)
    }
}

impl Keychain for StaticKeychain {
    fn resolve<'a>(&'a self, image: &'a ImageReference) -> ResolveFuture<'a> {
        let matches = *image.registry() == self.0.provenance.registry;
        Box::pin(std::future::ready(Ok(matches.then(|| self.0.clone()))))
    }

    fn candidates(&self, image: &ImageReference) -> Vec<Candidate> {
        let provenance = &self.0.provenance;
        let chosen = *image.registry() == provenance.registry;
        let reason = if chosen {
            format!("it is for {}", provenance.registry)
        } else {
            format!(
                "it is for {}, the image is at {}",
                provenance.registry,
                image.registry()
            )
        };
        let mut candidate = Candidate::new(provenance.source, chosen, reason);
        candidate.key = provenance.key.clone();
        candidate.origin = provenance.origin.clone();
        vec![candidate]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::{CredentialSource, ErrorClass, ErrorName, Registry, Stage};

    #[derive(Debug)]
    struct Broken;

    impl Keychain for Broken {
        fn resolve<'a>(&'a self, _: &'a ImageReference) -> ResolveFuture<'a> {
            Box::pin(std::future::ready(Err(broken())))
        }

        fn candidates(&self, _: &ImageReference) -> Vec<Candidate> {
            vec![Candidate::new(CredentialSource::DockerConfig, false, "it is broken").with_error(broken())]
        }
    }

    fn broken() -> Diagnosis {
        Diagnosis::new(
            ErrorName::ResourceInitialization,
            ErrorClass::Credential,
            Stage::Credential,
            "broken",
        )
    }

    fn fixed(host: &str, username: &str) -> Arc<dyn Keychain> {
        Arc::new(StaticKeychain::new(ResolvedCredential::new(
            RegistryCredential::basic(username, "p"),
            Provenance::new(CredentialSource::EngineAuth, Registry::from_host(host)),
        )))
    }

    /// Has another credential after a refusal, whoever gave the first.
    #[derive(Debug)]
    struct Renewing(CredentialSource);

    impl Keychain for Renewing {
        fn resolve<'a>(&'a self, _: &'a ImageReference) -> ResolveFuture<'a> {
            Box::pin(std::future::ready(Ok(None)))
        }

        fn resolve_after_refusal<'a>(
            &'a self,
            image: &'a ImageReference,
            _: &'a ResolvedCredential,
        ) -> ResolveFuture<'a> {
            let renewed = ResolvedCredential::new(
                RegistryCredential::basic("renewed", "p"),
                Provenance::new(self.0, image.registry().clone()),
            );
            Box::pin(std::future::ready(Ok(Some(renewed))))
        }

        fn candidates(&self, _: &ImageReference) -> Vec<Candidate> {
            Vec::new()
        }
    }

    fn now(future: ResolveFuture<'_>) -> Result<Option<ResolvedCredential>, Diagnosis> {
        let mut future = future;
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("no keychain of this test waits"),
        }
    }

    #[test]
    fn an_absent_answer_continues_a_chain() {
        let image = "a.example.com/app".parse().unwrap();
        let chain = KeychainChain::new(vec![
            fixed("b.example.com", "bob"),
            fixed("a.example.com", "alice"),
        ]);
        let resolved = now(chain.resolve(&image)).unwrap().unwrap();
        assert_eq!(resolved.credential.username.as_deref(), Some("alice"));
    }

    #[test]
    fn hard_fail_stops_chain() {
        let image = "a.example.com/app".parse().unwrap();
        let chain = KeychainChain::new(vec![Arc::new(Broken), fixed("a.example.com", "alice")]);
        assert_eq!(now(chain.resolve(&image)).unwrap_err().message(), "broken");
    }

    #[test]
    fn an_exhausted_chain_is_anonymous() {
        let image = "a.example.com/app".parse().unwrap();
        assert!(now(KeychainChain::default().resolve(&image)).unwrap().is_none());
    }

    #[test]
    fn one_candidate_of_a_chain_decides_and_it_is_the_one_that_answers() {
        let image = "a.example.com/app".parse().unwrap();
        let other = || fixed("b.example.com", "bob");
        let alice = || fixed("a.example.com", "alice");
        let bob = || fixed("a.example.com", "bob");
        for (keychains, decides) in [
            (vec![alice(), bob()], Some(0)),
            (vec![other(), bob()], Some(1)),
            (vec![Arc::new(Broken), alice()], Some(0)),
            (vec![other(), Arc::new(Broken), alice()], Some(1)),
            (vec![alice(), Arc::new(Broken)], Some(0)),
            (vec![other()], None),
        ] {
            let chain = KeychainChain::new(keychains);
            let candidates = chain.candidates(&image);
            let decisive: Vec<usize> = (0..candidates.len())
                .filter(|position| candidates[*position].is_decisive())
                .collect();
            assert_eq!(decisive, Vec::from_iter(decides), "{chain:?}");
            let expected = decides.map(|position| candidates[position].error.clone().map_or(Ok(()), Err));
            let answer = now(chain.resolve(&image)).map(|resolved| resolved.map(|_| ()));
            assert_eq!(answer.transpose(), expected, "{chain:?}");
        }
    }

    #[test]
    fn after_a_refusal_only_the_same_source_gives_another_credential() {
        use CredentialSource::{DockerConfig, Ecr, EngineAuth};

        let image: ImageReference = "a.example.com/app".parse().unwrap();
        for (sources, refused, renewed) in [
            (&[EngineAuth][..], EngineAuth, true),
            (&[EngineAuth, Ecr], Ecr, true),
            (&[Ecr, EngineAuth], EngineAuth, true),
            (&[EngineAuth, DockerConfig], Ecr, false),
            (&[], EngineAuth, false),
        ] {
            let keychains = sources
                .iter()
                .map(|source| Arc::new(Renewing(*source)) as Arc<dyn Keychain>);
            let chain = KeychainChain::new(keychains.collect());
            let refused = ResolvedCredential::new(
                RegistryCredential::basic("alice", "p"),
                Provenance::new(refused, image.registry().clone()),
            );
            let answer = now(chain.resolve_after_refusal(&image, &refused)).unwrap();
            let source = answer.map(|resolved| resolved.provenance.source);
            assert_eq!(source, renewed.then_some(refused.provenance.source), "{chain:?}");
        }
    }
}
