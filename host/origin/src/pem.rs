//! Certificates and private keys as operators have them: in PEM files (RFC 7468).

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};

/// A PEM file.
#[derive(Clone, Copy)]
pub struct Pem<'a> {
    /// Its name, for error messages.
    pub file: &'a str,
    /// What it holds.
    pub bytes: &'a [u8],
}

impl fmt::Debug for Pem<'_> {
    /// The bytes may be a private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pem")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a PEM file, and what to do about it. Shows nothing of a key.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PemError {
    /// Between its markers is no base64, or a marker is missing.
    #[error("{file} is damaged: it is no PEM file, or was cut short; copy it again")]
    Damaged {
        /// The file's name.
        file: String,
    },
    /// There is no `BEGIN CERTIFICATE` in it.
    #[error(
        "{file} holds no certificate; it must be PEM: convert DER with `openssl x509 -inform der`"
    )]
    NoCertificate {
        /// The file's name.
        file: String,
    },
    /// One of its certificates is none.
    #[error("certificate {number} of {file} cannot be used: {why}; remove or replace it")]
    BadCertificate {
        /// The file's name.
        file: String,
        /// Counted from 1.
        number: usize,
        /// What is wrong.
        why: rustls::Error,
    },
    /// There is no private key in it that can be read.
    #[error(
        "{file} holds no private key that can be read; it must be PEM and not encrypted: \
         decrypt it with `openssl pkey`"
    )]
    NoKey {
        /// The file's name.
        file: String,
    },
    /// The private key is of a kind that is not supported, or damaged.
    #[error("the private key of {file} cannot be used: give an RSA, ECDSA or Ed25519 key")]
    BadKey {
        /// The file's name.
        file: String,
    },
    /// The private key is another certificate's.
    #[error(
        "the private key of {key} does not belong to the first certificate of {certificate}: \
         give both of one pair, the client's own certificate first"
    )]
    Mismatch {
        /// The certificate file's name.
        certificate: String,
        /// The key file's name.
        key: String,
    },
}

/// The certificates of authorities: all that a file holds, each checked to be one.
///
/// # Errors
/// When there is none, or one that cannot be read.
pub fn authorities(pem: Pem<'_>) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found = certificates(pem)?;
    let mut store = RootCertStore::empty();
    for (index, certificate) in found.iter().enumerate() {
        store
            .add(certificate.clone())
            .map_err(|why| bad(pem, index, why))?;
    }
    Ok(found)
}

/// A client certificate, with what leads to its authority, and its private key.
/// Equal ones show the same certificates.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// The certificates of one file, the client's own first, and the private key
    /// of another (PKCS#8, PKCS#1 or SEC1), which may be the same file.
    ///
    /// # Errors
    /// When either is missing, cannot be read, or is not the other's.
    pub fn from_pem(certificate: Pem<'_>, key: Pem<'_>) -> Result<Self, PemError> {
        let chain = certificates(certificate)?;
        let der = private_key(key)?;
        let provider = rustls::crypto::ring::default_provider();
        let signing = provider.key_provider.load_private_key(der);
        let signing = signing.map_err(|_| PemError::BadKey {
            file: key.file.to_owned(),
        })?;
        let pair = CertifiedKey::new(chain, signing);
        match pair.keys_match() {
            Ok(()) => Ok(Self(Arc::new(pair))),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(PemError::Mismatch {
                    certificate: certificate.file.to_owned(),
                    key: key.file.to_owned(),
                })
            }
            Err(why) => Err(bad(certificate, 0, why)),
        }
    }

    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.0.cert == other.0.cert
    }
}

impl Eq for Identity {}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

fn certificates(pem: Pem<'_>) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.bytes).collect();
    let found = read.map_err(|_| PemError::Damaged {
        file: pem.file.to_owned(),
    })?;
    if found.is_empty() {
        let file = pem.file.to_owned();
        return Err(PemError::NoCertificate { file });
    }
    Ok(found)
}

fn private_key(pem: Pem<'_>) -> Result<PrivateKeyDer<'static>, PemError> {
    let file = pem.file.to_owned();
    PrivateKeyDer::from_pem_slice(pem.bytes).map_err(|why| match why {
        pem::Error::NoItemsFound => PemError::NoKey { file },
        _ => PemError::Damaged { file },
    })
}

fn bad(pem: Pem<'_>, index: usize, why: rustls::Error) -> PemError {
    PemError::BadCertificate {
        file: pem.file.to_owned(),
        number: index + 1,
        why,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    fn pair() -> (String, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["edge.example".to_owned()]).expect("a pair");
        (
            encode("CERTIFICATE", cert.der()),
            encode("PRIVATE KEY", &signing_key.serialize_der()),
        )
    }

    fn encode(label: &str, der: &[u8]) -> String {
        section(label, &BASE64_STANDARD.encode(der))
    }

    fn file<'a>(file: &'a str, text: &'a str) -> Pem<'a> {
        Pem {
            file,
            bytes: text.as_bytes(),
        }
    }

    fn section(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn all_authorities_of_a_file() {
        let ((one, _), (two, key)) = (pair(), pair());
        let bundle = format!("# ours\n{one}\n{two}{key}");
        let found = authorities(file("ca.pem", &bundle)).expect("authorities");
        assert_eq!(found.len(), 2);
        assert_ne!(found[0], found[1]);
    }

    #[test]
    fn files_without_authorities() {
        let (certificate, key) = pair();
        let second = format!("{certificate}{}", section("CERTIFICATE", "aGVsbG8="));
        for (text, expected) in [
            (
                "",
                "ca.pem holds no certificate; it must be PEM: convert DER with `openssl x509 -inform der`",
            ),
            (
                key.as_str(),
                "ca.pem holds no certificate; it must be PEM: convert DER with `openssl x509 -inform der`",
            ),
            (
                &certificate[..certificate.len() / 2],
                "ca.pem is damaged: it is no PEM file, or was cut short; copy it again",
            ),
            (
                &section("CERTIFICATE", "%%%"),
                "ca.pem is damaged: it is no PEM file, or was cut short; copy it again",
            ),
            (
                &second,
                "certificate 2 of ca.pem cannot be used: invalid peer certificate: BadEncoding; remove or replace it",
            ),
        ] {
            let error = authorities(file("ca.pem", text)).expect_err(text);
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn identities_of_one_file_or_of_two() {
        let (certificate, key) = pair();
        let both = format!("{key}{certificate}");
        let two = Identity::from_pem(file("c.pem", &certificate), file("k.pem", &key));
        let one = Identity::from_pem(file("both.pem", &both), file("both.pem", &both));
        assert_eq!(two.expect("of two"), one.expect("of one"));
    }

    #[test]
    fn identities_that_are_none() {
        let (certificate, key) = pair();
        let (other, _) = pair();
        let garbage = section("CERTIFICATE", "aGVsbG8=");
        let encrypted = section("ENCRYPTED PRIVATE KEY", "c2VjcmV0");
        let odd = section("PRIVATE KEY", "c2VjcmV0");
        for (certificate, key, expected) in [
            (
                other.as_str(),
                key.as_str(),
                "the private key of k.pem does not belong to the first certificate of c.pem: \
                 give both of one pair, the client's own certificate first",
            ),
            (
                &certificate,
                &encrypted,
                "k.pem holds no private key that can be read; it must be PEM and not encrypted: \
                 decrypt it with `openssl pkey`",
            ),
            (
                &certificate,
                &odd,
                "the private key of k.pem cannot be used: give an RSA, ECDSA or Ed25519 key",
            ),
            (
                &certificate,
                &key[..key.len() / 2],
                "k.pem is damaged: it is no PEM file, or was cut short; copy it again",
            ),
            (
                &garbage,
                &key,
                "certificate 1 of c.pem cannot be used: invalid peer certificate: BadEncoding; remove or replace it",
            ),
            (
                "",
                &key,
                "c.pem holds no certificate; it must be PEM: convert DER with `openssl x509 -inform der`",
            ),
        ] {
            let read = Identity::from_pem(file("c.pem", certificate), file("k.pem", key));
            let error = read.expect_err(expected);
            assert_eq!(error.to_string(), expected);
            assert!(!format!("{error:?}").contains("secret"));
        }
    }

    #[test]
    fn keys_are_not_printed() {
        let (certificate, key) = pair();
        let pem = file("k.pem", &key);
        assert_eq!(format!("{pem:?}"), r#"Pem { file: "k.pem", .. }"#);
        let identity = Identity::from_pem(file("c.pem", &certificate), file("k.pem", &key));
        assert_eq!(format!("{:?}", identity.expect("a pair")), "Identity");
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_refused_or_read(bytes in proptest::collection::vec(0_u8.., 0..200)) {
            let body = [b"-----BEGIN CERTIFICATE-----\n".as_slice(), &bytes].concat();
            for bytes in [bytes.as_slice(), &body] {
                let pem = Pem { file: "x", bytes };
                proptest::prop_assert!(authorities(pem).is_err());
                proptest::prop_assert!(Identity::from_pem(pem, pem).is_err());
            }
        }
    }
}
