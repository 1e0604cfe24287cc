//! The file of records, and the thread that writes what waits for it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use redb::{Database, DatabaseError, ReadableDatabase, TableDefinition, TableError};

use super::KvError;
use super::pending::{Changes, Pending};

/// How long changes are gathered before they are written: half of the second that is promised,
/// which leaves the other half for the disk.
const GATHER: Duration = Duration::from_millis(500);

/// How long after a write that failed it is tried again: a full disk stays full for a while, and
/// each attempt is a line in the log.
const RETRY: Duration = Duration::from_secs(5);

/// Every label's table: its keys are text, its values bytes.
pub(super) fn definition(name: &str) -> TableDefinition<'_, &'static str, &'static [u8]> {
    TableDefinition::new(name)
}

/// A table that is open for reading.
pub(super) type ReadTable = redb::ReadOnlyTable<&'static str, &'static [u8]>;

/// How the database is opened, the first time and after an error.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

/// One label's records.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) pending: RwLock<Pending>,
    /// The table as it was last written, opened once: to open it costs a look-up as much as its own way.
    /// None after each write, and while nobody has read it since.
    snapshot: Mutex<Option<Arc<ReadTable>>>,
}

impl Table {
    /// The table as it is in the file; none if nothing was written to it yet.
    fn snapshot(&self, database: &Database) -> Result<Option<Arc<ReadTable>>, KvError> {
        // Opened while it is locked: whoever writes takes the snapshot away after that, and none that is
        // older comes in its place.
        let mut snapshot = lock(&self.snapshot);
        if snapshot.is_none() {
            let opened = database.begin_read()?.open_table(definition(&self.name));
            *snapshot = match opened {
                Err(TableError::TableDoesNotExist(_)) => None,
                opened => Some(Arc::new(opened?)),
            };
        }
        Ok(snapshot.clone())
    }

    fn forget_snapshot(&self) {
        *lock(&self.snapshot) = None;
    }
}

/// The database and what waits for it.
pub(super) struct File {
    opener: Opener,
    /// None after an error, until it could be opened again: a database that failed to write
    /// answers nothing any more.
    database: RwLock<Option<Database>>,
    tables: Mutex<Vec<Arc<Table>>>,
    /// Held by the one who writes.
    writer: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Something waits to be written.
    dirty: bool,
    closing: bool,
}

impl File {
    pub(super) fn open(opener: Opener) -> Result<Self, DatabaseError> {
        let database = opener()?;
        Ok(Self {
            opener,
            database: RwLock::new(Some(database)),
            tables: Mutex::default(),
            writer: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// The table of that name; always the same one.
    pub(super) fn table(&self, name: &str) -> Arc<Table> {
        let mut tables = lock(&self.tables);
        if let Some(table) = tables.iter().find(|table| table.name == name) {
            return table.clone();
        }
        let table = Arc::new(Table {
            name: name.to_owned(),
            pending: RwLock::default(),
            snapshot: Mutex::default(),
        });
        tables.push(table.clone());
        table
    }

    /// Reads what is in the file; the table is none if nothing was written to it yet.
    pub(super) fn read<T>(
        &self,
        table: &Table,
        look: impl FnOnce(Option<&ReadTable>) -> Result<T, KvError>,
    ) -> Result<T, KvError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let snapshot = table.snapshot(database.as_ref().ok_or(KvError::Closed)?)?;
        look(snapshot.as_deref())
    }

    /// Tells the thread that something waits.
    pub(super) fn wake(&self) {
        lock(&self.state).dirty = true;
        self.changed.notify_all();
    }

    /// Writes what waits, in one transaction, and returns when it is on the disk.
    pub(super) fn flush(&self) -> Result<(), KvError> {
        let _writer = lock(&self.writer);
        if self.is_closed() {
            self.reopen();
        }
        let tables = lock(&self.tables).clone();
        let batch: Vec<_> = tables
            .iter()
            .map(|table| (table.name.as_str(), pending(table).begin()))
            .filter(|(_, changes)| !changes.is_empty())
            .collect();
        let written = self.write(&batch);
        if written.is_ok() {
            for table in &tables {
                // First: what waits no more is found in the file.
                table.forget_snapshot();
                pending(table).written();
            }
        } else {
            self.reopen();
            self.wake();
        }
        written
    }

    fn write(&self, batch: &[(&str, Arc<Changes>)]) -> Result<(), KvError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(KvError::Closed)?;
        if batch.is_empty() {
            return Ok(());
        }
        let mut write = database.begin_write()?;
        // A start after a crash need not walk the file; a commit is one more write for it.
        write.set_quick_repair(true);
        for (name, changes) in batch {
            let mut table = write.open_table(definition(name))?;
            for (key, change) in changes.iter() {
                match change {
                    Some(value) => table.insert(key.as_str(), value.as_ref())?,
                    None => table.remove(key.as_str())?,
                };
            }
        }
        write.commit()?;
        Ok(())
    }

    fn is_closed(&self) -> bool {
        let database = self.database.read();
        database.unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Nobody reads the file any more.
    pub(super) fn forget_snapshots(&self) {
        lock(&self.tables)
            .iter()
            .for_each(|table| table.forget_snapshot());
    }

    fn reopen(&self) {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // Closed first: the file is locked while it is open, and snapshots keep it so.
        self.forget_snapshots();
        *database = None;
        match (self.opener)() {
            Ok(opened) => *database = Some(opened),
            Err(error) => tracing::warn!(%error, "the file of records cannot be opened again"),
        }
    }

    /// The thread: writes what waits, soon after it came, until [`File::close`].
    pub(super) fn run(&self) {
        let mut delay = GATHER;
        while self.gather(delay) {
            delay = GATHER;
            if let Err(error) = self.flush() {
                tracing::warn!(%error, "records are not written; they are kept and tried again");
                delay = RETRY;
            }
        }
    }

    /// Waits until something is to be written, and `delay` for more of it. False when closing.
    fn gather(&self, delay: Duration) -> bool {
        let state = lock(&self.state);
        let state = self
            .changed
            .wait_while(state, |state| !state.dirty && !state.closing);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let gathered = self
            .changed
            .wait_timeout_while(state, delay, |state| !state.closing);
        let (mut state, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        state.dirty = false;
        !state.closing
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        lock(&self.state).closing = true;
        self.changed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pending(table: &Table) -> std::sync::RwLockWriteGuard<'_, Pending> {
    table
        .pending
        .write()
        .unwrap_or_else(PoisonError::into_inner)
}
