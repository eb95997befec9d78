//! `#[derive(Parameters)]`.
use crate::camel_case;
use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, Ident, Lit, LitStr, Meta, Result, Token};

/// What `#[parameter(…)]` and the doc comment of a field say.
#[derive(Default)]
struct Attributes {
    name: Option<String>,
    aliases: Vec<String>,
    default: Option<String>,
    choices: Vec<String>,
    from: Vec<Ident>,
    sealed: bool,
    deprecated: Option<String>,
    flatten: bool,
    doc: String,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            other => return Err(Error::new_spanned(other, "Parameters is for structs with named fields")),
        },
        _ => return Err(Error::new_spanned(input, "Parameters is for structs")),
    };
    let (mut declarations, mut reads, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for field in fields {
        let Some(ident) = &field.ident else { continue };
        let attributes = attributes(&field.attrs)?;
        let ty = &field.ty;
        names.push(ident);
        if attributes.flatten {
            declarations.push(quote! { declared.extend(<#ty as ::windlass_sdk::Parameters>::declare()); });
            reads.push(quote! {
                let #ident = match <#ty as ::windlass_sdk::Parameters>::read(values) {
                    ::std::result::Result::Ok(read) => ::std::option::Option::Some(read),
                    ::std::result::Result::Err(more) => { problems.extend(more); ::std::option::Option::None }
                };
            });
            continue;
        }
        let name = attributes.name.clone().unwrap_or_else(|| camel_case(&ident.to_string()));
        declarations.push(declaration(ty, &name, &attributes)?);
        reads.push(quote! {
            let #ident = match <#ty as ::windlass_sdk::field::Field>::read(values, #name) {
                ::std::result::Result::Ok(read) => ::std::option::Option::Some(read),
                ::std::result::Result::Err(message) => {
                    problems.push(::windlass_sdk::problem(#name, message));
                    ::std::option::Option::None
                }
            };
        });
    }
    let name = &input.ident;
    Ok(quote! {
        impl ::windlass_sdk::Parameters for #name {
            fn declare() -> ::std::vec::Vec<::windlass_sdk::field::Parameter> {
                let mut declared = ::std::vec::Vec::new();
                #(#declarations)*
                declared
            }

            fn read(
                values: &::windlass_sdk::Values<'_>,
            ) -> ::std::result::Result<Self, ::std::vec::Vec<::windlass_sdk::Problem>> {
                let mut problems = ::std::vec::Vec::new();
                #(#reads)*
                match (#(#names,)*) {
                    (#(::std::option::Option::Some(#names),)*) if problems.is_empty() => {
                        ::std::result::Result::Ok(Self { #(#names),* })
                    }
                    _ => ::std::result::Result::Err(problems),
                }
            }
        }
    })
}

fn declaration(ty: &syn::Type, name: &str, attributes: &Attributes) -> Result<TokenStream> {
    let Attributes { aliases, default, choices, sealed, deprecated, doc, .. } = attributes;
    let mut origin = vec![quote! { ::windlass_sdk::field::Origin::METADATA }];
    if !attributes.from.is_empty() {
        origin.clear();
        for place in &attributes.from {
            let flag = match &*place.to_string() {
                "metadata" => quote! { METADATA },
                "environment" => quote! { ENVIRONMENT },
                "authentication" => quote! { AUTHENTICATION },
                _ => return Err(Error::new_spanned(place, "expected metadata, environment or authentication")),
            };
            origin.push(quote! { ::windlass_sdk::field::Origin::#flag });
        }
    }
    let field = quote! { <#ty as ::windlass_sdk::field::Field> };
    let option = |text: &Option<String>| match text {
        Some(text) => quote! { ::std::option::Option::Some(#text.to_owned()) },
        None => quote! { ::std::option::Option::None },
    };
    let (initial, replacement) = (option(default), option(deprecated));
    let required = if default.is_some() {
        quote! { false }
    } else {
        quote! { #field::REQUIRED }
    };
    let secrecy = if *sealed {
        quote! { ::windlass_sdk::Secrecy::Sealed }
    } else {
        quote! { #field::SECRECY }
    };
    let choices = if choices.is_empty() {
        quote! { #field::choices() }
    } else {
        quote! { vec![#(#choices.to_owned()),*] }
    };
    Ok(quote! {
        declared.push(::windlass_sdk::field::Parameter {
            name: #name.to_owned(),
            aliases: vec![#(#aliases.to_owned()),*],
            shape: #field::SHAPE,
            required: #required,
            initial: #initial,
            choices: #choices,
            secrecy: #secrecy,
            origin: #(#origin)|*,
            deprecated: #replacement,
            doc: #doc.to_owned(),
        });
    })
}

fn attributes(attributes: &[Attribute]) -> Result<Attributes> {
    let mut read = Attributes::default();
    let mut lines = Vec::new();
    for attribute in attributes {
        if attribute.path().is_ident("parameter") {
            attribute.parse_nested_meta(|meta| one(&mut read, &meta))?;
        } else if let (true, Meta::NameValue(doc)) = (attribute.path().is_ident("doc"), &attribute.meta)
            && let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &doc.value
        {
            lines.push(line.value().trim().to_owned());
        }
    }
    lines.retain(|line| !line.is_empty());
    read.doc = lines.join(" ");
    Ok(read)
}

fn one(read: &mut Attributes, meta: &ParseNestedMeta<'_>) -> Result<()> {
    let text = || Ok::<_, Error>(meta.value()?.parse::<LitStr>()?.value());
    let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    match &*word {
        "name" => read.name = Some(text()?),
        "aliases" => read.aliases = texts(meta)?,
        "default" => read.default = Some(text()?),
        "choices" => read.choices = texts(meta)?,
        "from" => {
            let content;
            syn::parenthesized!(content in meta.input);
            read.from = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?.into_iter().collect();
        }
        "sealed" => read.sealed = true,
        "deprecated" => read.deprecated = Some(text()?),
        "flatten" => read.flatten = true,
        _ => return Err(meta.error("no such attribute of a parameter")),
    }
    Ok(())
}

fn texts(meta: &ParseNestedMeta<'_>) -> Result<Vec<String>> {
    let content;
    syn::parenthesized!(content in meta.input);
    let texts = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?;
    Ok(texts.iter().map(LitStr::value).collect())
}
