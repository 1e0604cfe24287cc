//! `spin:key-value` over files.

use std::io;

use crate::FOLDER;
use crate::bindings::exports::spin::key_value::key_value::{Error, GuestStore, Store};
use crate::bindings::{wit_future, wit_stream};
use crate::records::Records;
use wit_bindgen::{FutureReader, StreamReader};

/// A store that is open.
#[derive(Debug)]
#[allow(
    unreachable_pub,
    reason = "the bindings' trait, which is public, names it"
)]
pub struct OpenStore(Records);

impl GuestStore for OpenStore {
    async fn open(label: String) -> Result<Store, Error> {
        let records = Records::open(FOLDER.as_ref(), &label).ok_or(Error::NoSuchStore)?;
        Ok(Store::new(Self(records)))
    }

    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, Error> {
        self.0.get(&key).map_err(|error| failed(&error))
    }

    async fn set(&self, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.0.set(&key, &value).map_err(|error| failed(&error))
    }

    async fn delete(&self, key: String) -> Result<(), Error> {
        self.0.delete(&key).map_err(|error| failed(&error))
    }

    async fn exists(&self, key: String) -> Result<bool, Error> {
        Ok(self.0.get(&key).map_err(|error| failed(&error))?.is_some())
    }

    async fn get_keys(&self) -> (StreamReader<String>, FutureReader<Result<(), Error>>) {
        let (mut stream, keys) = wit_stream::new();
        let (end, ended) = wit_future::new(|| Ok(()));
        let found = self.0.keys();
        wit_bindgen::spawn_local(async move {
            let outcome = match found {
                Ok(found) => {
                    // Who wants no more of them drops the stream.
                    drop(stream.write_all(found).await);
                    Ok(())
                }
                Err(error) => Err(failed(&error)),
            };
            drop(stream);
            drop(end.write(outcome).await);
        });
        (keys, ended)
    }
}

fn failed(error: &io::Error) -> Error {
    eprintln!("{FOLDER}: {error}");
    Error::Other(error.to_string())
}
