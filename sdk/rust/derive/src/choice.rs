//! `#[derive(Choice)]`.
use crate::camel_case;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, LitStr, Result};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(input, "Choice is for enums"));
    };
    let (mut texts, mut variants) = (Vec::new(), Vec::new());
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new_spanned(variant, "a choice carries no data"));
        }
        let mut text = camel_case(&variant.ident.to_string());
        for attribute in variant.attrs.iter().filter(|attribute| attribute.path().is_ident("choice")) {
            attribute.parse_nested_meta(|meta| {
                if !meta.path.is_ident("name") {
                    return Err(meta.error("expected name = \"…\""));
                }
                text = meta.value()?.parse::<LitStr>()?.value();
                Ok(())
            })?;
        }
        texts.push(text);
        variants.push(&variant.ident);
    }
    let expected = format!("is not one of {}", texts.join(", "));
    let name = &input.ident;
    Ok(quote! {
        impl #name {
            fn from_choice(text: &str) -> ::std::result::Result<Self, ::std::string::String> {
                match text {
                    #(#texts => ::std::result::Result::Ok(Self::#variants),)*
                    _ => ::std::result::Result::Err(#expected.to_owned()),
                }
            }
        }

        impl ::windlass_sdk::field::Field for #name {
            const SHAPE: ::windlass_sdk::Shape = ::windlass_sdk::Shape::Text;

            fn choices() -> ::std::vec::Vec<::std::string::String> {
                vec![#(#texts.to_owned()),*]
            }

            fn from_value(value: &::windlass_sdk::field::Value) -> ::std::result::Result<Self, ::std::string::String> {
                Self::from_choice(::windlass_sdk::field::text(value)?)
            }
        }

        impl ::windlass_sdk::field::Entry for #name {
            const LIST: ::windlass_sdk::Shape = ::windlass_sdk::Shape::Texts;

            fn choices() -> ::std::vec::Vec<::std::string::String> {
                vec![#(#texts.to_owned()),*]
            }

            fn from_entry(_: &str, entry: &str) -> ::std::result::Result<Self, ::std::string::String> {
                Self::from_choice(entry)
            }
        }
    })
}
