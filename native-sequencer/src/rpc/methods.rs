//! How a method becomes part of the module: its parameters, and where it runs.
//!
//! Nothing that reads the store or runs the EVM runs on the asynchronous runtime. Reads and heavy work have a gate each, so
//! that calls at their gas limit do not keep anyone from asking for a balance; what waits before a gate is bounded.

use super::{Rpc, errors::RpcError};
use crate::limits;
use jsonrpsee::{Extensions, ResponsePayload, RpcModule, core::RegisterMethodError, types::Params};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use std::{future::Future, sync::Arc};

type Answer = ResponsePayload<'static, Box<RawValue>>;

/// What requests have to wait for.
pub(super) type Gate = crate::gate::Gate<RpcError>;

/// The line of one connection's heavy requests: as many as run at a time on behalf of all wait for their turn, the others behind
/// them, so that who asks for much does not make everyone wait behind it.
#[derive(Clone, Debug)]
pub(super) struct Line(Arc<Gate>);

impl Line {
    pub(super) fn new() -> Self {
        Self(Arc::new(Gate::new(limits::RPC_HEAVY)))
    }
}

/// The module under construction.
#[derive(Debug)]
pub(super) struct Methods {
    pub(super) module: RpcModule<Arc<Rpc>>,
}

impl Methods {
    pub(super) fn new(rpc: Arc<Rpc>) -> Self {
        Self { module: RpcModule::new(rpc) }
    }

    /// A method that answers from memory at once.
    pub(super) fn quick<R, F>(&mut self, name: &'static str, most: usize, answer: F) -> Result<(), RegisterMethodError>
    where
        R: Serialize,
        F: Fn(&Rpc, &mut Arguments<'_>) -> Result<R, RpcError> + Send + Sync + 'static,
    {
        self.module.register_method(name, move |params, rpc, _| encode(run(&answer, rpc, &params, most)))?;
        Ok(())
    }

    /// A method that reads blocks or state.
    pub(super) fn read<R, F>(&mut self, name: &'static str, most: usize, answer: F) -> Result<(), RegisterMethodError>
    where
        R: Serialize + 'static,
        F: Fn(&Rpc, &mut Arguments<'_>) -> Result<R, RpcError> + Copy + Send + Sync + 'static,
    {
        self.gated(name, most, |rpc| &rpc.reads, |_| None, answer)
    }

    /// A method that runs the EVM or goes through many blocks.
    pub(super) fn heavy<R, F>(&mut self, name: &'static str, most: usize, answer: F) -> Result<(), RegisterMethodError>
    where
        R: Serialize + 'static,
        F: Fn(&Rpc, &mut Arguments<'_>) -> Result<R, RpcError> + Copy + Send + Sync + 'static,
    {
        self.gated(name, most, |rpc| &rpc.heavy, |extensions| extensions.get().cloned(), answer)
    }

    fn gated<R, F>(
        &mut self,
        name: &'static str,
        most: usize,
        gate: fn(&Rpc) -> &Gate,
        line: fn(&Extensions) -> Option<Line>,
        answer: F,
    ) -> Result<(), RegisterMethodError>
    where
        R: Serialize + 'static,
        F: Fn(&Rpc, &mut Arguments<'_>) -> Result<R, RpcError> + Copy + Send + Sync + 'static,
    {
        self.module.register_async_method(name, move |params, rpc, extensions| async move {
            let place = match line(&extensions) {
                Some(Line(line)) => match line.turn().await {
                    Ok(place) => Some(place),
                    Err(error) => return respond(Err(error)),
                },
                None => None,
            };
            let shared = Arc::clone(&rpc);
            let job = move || {
                // Held here, because a caller that hangs up does not stop the thread.
                let _place = place;
                // The response is written where it was made: a large one takes longer to write than to find.
                run(&answer, &shared, &params, most).and_then(|result| raw(&result))
            };
            respond(gate(&rpc).run(job).await)
        })?;
        Ok(())
    }

    /// A method that waits for something.
    pub(super) fn waiting<R, F, W>(&mut self, name: &'static str, answer: F) -> Result<(), RegisterMethodError>
    where
        R: Serialize,
        F: Fn(Arc<Rpc>, Params<'static>) -> W + Clone + Send + Sync + 'static,
        W: Future<Output = Result<R, RpcError>> + Send,
    {
        self.module.register_async_method(name, move |params, rpc, _| {
            let answer = answer.clone();
            async move { encode(answer(Arc::clone(&rpc), params).await) }
        })?;
        Ok(())
    }
}

fn run<R>(
    answer: &impl Fn(&Rpc, &mut Arguments<'_>) -> Result<R, RpcError>,
    rpc: &Rpc,
    params: &Params<'_>,
    most: usize,
) -> Result<R, RpcError> {
    let mut arguments = Arguments::new(params, most)?;
    answer(rpc, &mut arguments)
}

fn raw(result: &impl Serialize) -> Result<Box<RawValue>, RpcError> {
    to_raw_value(result).map_err(|error| {
        tracing::error!(%error, "a response could not be written");
        RpcError::Internal
    })
}

fn encode(result: Result<impl Serialize, RpcError>) -> Answer {
    respond(result.and_then(|result| raw(&result)))
}

fn respond(result: Result<Box<RawValue>, RpcError>) -> Answer {
    match result {
        Ok(result) => ResponsePayload::success(result),
        Err(error) => ResponsePayload::error(error),
    }
}

/// The positional parameters of one request.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    values: std::vec::IntoIter<&'a RawValue>,
    taken: usize,
}

impl<'a> Arguments<'a> {
    /// Those in `params`, which have to be no more than `most`: what nobody reads is not carried along.
    pub(super) fn new(params: &'a Params<'_>, most: usize) -> Result<Self, RpcError> {
        let values: Vec<&RawValue> = match params.as_str() {
            None | Some("null" | "") => Vec::new(),
            Some(text) => serde_json::from_str(text).map_err(|_| invalid("the parameters are not an array"))?,
        };
        if values.len() > most {
            return Err(invalid(&format!("too many arguments, want at most {most}")));
        }
        Ok(Self { values: values.into_iter(), taken: 0 })
    }

    /// The next parameter, which must be there.
    pub(super) fn required<T: DeserializeOwned>(&mut self) -> Result<T, RpcError> {
        let missing = invalid(&format!("missing value for required argument {}", self.taken));
        self.optional()?.ok_or(missing)
    }

    /// The next parameter, which may be missing or null.
    pub(super) fn optional<T: DeserializeOwned>(&mut self) -> Result<Option<T>, RpcError> {
        let Some(value) = self.values.next() else { return Ok(None) };
        let at = self.taken;
        self.taken += 1;
        serde_json::from_str(value.get()).map_err(|error| invalid(&format!("invalid argument {at}: {error}")))
    }
}

fn invalid(message: &str) -> RpcError {
    RpcError::InvalidParams(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Address;

    #[test]
    fn parameters_of_the_wrong_type_are_told_by_their_place() {
        let params = Params::new(Some(r#"["0x0000000000000000000000000000000000000001", 7]"#));
        let mut arguments = Arguments::new(&params, 2).unwrap();
        assert_eq!(arguments.required::<Address>().unwrap(), Address::with_last_byte(1));
        let error = arguments.required::<Address>().unwrap_err();
        assert_eq!(error.code(), -32602);
        assert!(error.to_string().starts_with("invalid argument 1: "), "{error}");
    }

    #[test]
    fn missing_parameters_are_null() {
        let params = Params::new(Some("[ null ]"));
        let mut arguments = Arguments::new(&params, 2).unwrap();
        assert!(arguments.optional::<u64>().unwrap().is_none());
        assert!(arguments.optional::<u64>().unwrap().is_none());
        assert_eq!(arguments.required::<u64>().unwrap_err().to_string(), "missing value for required argument 1");
    }

    #[test]
    fn surplus_parameters_are_refused() {
        let params = Params::new(Some("[1, 2, 3]"));
        assert!(Arguments::new(&params, 3).is_ok());
        let error = Arguments::new(&params, 2).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (-32602, "too many arguments, want at most 2"));
    }

    #[test]
    fn named_parameters_are_refused() {
        let params = Params::new(Some(r#"{"a": 1}"#));
        assert_eq!(Arguments::new(&params, 1).unwrap_err().code(), -32602);
    }
}
